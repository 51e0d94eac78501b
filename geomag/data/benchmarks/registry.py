"""Which reader reads which benchmark, and which merger joins new records to it."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from geomag.data.benchmarks import BENCHMARKS
from geomag.data.benchmarks.spec import benchmark_root
from geomag.data.records import Record
from geomag.errors import ConfigError
from geomag.io import inside


class Reader(Protocol):
    """Turns the files of one benchmark into records."""

    @property
    def benchmark(self) -> str:
        """Name of the benchmark."""
        ...

    def sources(self, root: Path) -> tuple[Path, ...]:
        """The annotation files under ``root``; raises `AnnotationError` if the tree is absent."""
        ...

    def read(self, root: Path) -> Iterator[Record]:
        """All records of all splits, in file order; raises `AnnotationError` at the first fault."""
        ...


Merger = Callable[[Path, Path, Path], tuple[str, ...]]
"""Function of benchmark, drop and target folder that writes the joined files under the target and
returns their paths in the order in which they may be published: whoever reads in between finds a
set that is whole."""

_ADDED: dict[str, Reader] = {}


def add_reader(reader: Reader) -> None:
    """Make the reader of one more benchmark known (`geomag.extend`)."""
    _ADDED[reader.benchmark] = reader


def reader_for(name: str) -> Reader:
    """The reader of a benchmark, ``READER`` in its folder's ``reader.py``.

    Raises:
        ConfigError: If there is no such benchmark.
    """
    if name in _ADDED:
        return _ADDED[name]
    reader: Reader = _part(name, "reader").READER
    return reader


def merger_for(name: str) -> Merger:
    """The merger of a benchmark, ``merge`` in its folder's ``merge.py``.

    Raises:
        ConfigError: If there is no such benchmark.
    """
    merge: Merger = _part(name, "merge").merge
    return merge


def _part(name: str, part: str) -> Any:
    if name not in BENCHMARKS:
        raise ConfigError("benchmark", repr(name), f"one of {list(BENCHMARKS)}")
    return import_module(f"geomag.data.benchmarks.{name}.{part}")


def read_benchmark(name: str, root: Path) -> Iterator[Record]:
    """All records of a benchmark, read from its folder ``root``, or from ``root/<benchmark>``.

    Raises:
        UnsafePathError: If an annotation file is a link that leaves ``root``.
        AnnotationError: At the first fault in the files.
    """
    reader, root = reader_for(name), benchmark_root(root, name)
    for path in reader.sources(root):
        inside(root, path.relative_to(root).as_posix(), place=path.name)
    yield from reader.read(root)
