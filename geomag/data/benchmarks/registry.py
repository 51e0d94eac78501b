"""Which reader reads which benchmark."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from geomag.data.benchmarks import BENCHMARKS
from geomag.data.benchmarks.captions import SYDNEY_CAPTIONS, UCM_CAPTIONS
from geomag.data.benchmarks.dior_rsvg.reader import DiorRsvg
from geomag.data.benchmarks.geopixeld.reader import GeoPixelD
from geomag.data.benchmarks.refsegrs.reader import RefSegRS
from geomag.data.benchmarks.rrsis_d.reader import RrsisD
from geomag.data.benchmarks.rsvqa import RSVQA_HR, RSVQA_LR
from geomag.data.benchmarks.scenes import AID, RESISC45
from geomag.data.records import Record
from geomag.errors import ConfigError
from geomag.io import inside


class Reader(Protocol):
    """Turns the files of one benchmark into records."""

    @property
    def benchmark(self) -> str:
        """Its name."""
        ...

    def sources(self, root: Path) -> tuple[Path, ...]:
        """The annotation files under ``root``; raises `AnnotationError` if the tree is absent."""
        ...

    def read(self, root: Path) -> Iterator[Record]:
        """All records of all splits, in file order; raises `AnnotationError` at the first fault."""
        ...


_READERS: dict[str, Reader] = {
    reader.benchmark: reader
    for reader in (
        RrsisD(),
        RefSegRS(),
        GeoPixelD(),
        DiorRsvg(),
        RSVQA_LR,
        RSVQA_HR,
        UCM_CAPTIONS,
        SYDNEY_CAPTIONS,
        AID,
        RESISC45,
    )
}


def add_reader(reader: Reader) -> None:
    """Make the reader of one more benchmark known (`geomag.extend`)."""
    _READERS[reader.benchmark] = reader


def reader_for(name: str) -> Reader:
    """The reader of a benchmark.

    Raises:
        ConfigError: If there is no such benchmark.
    """
    if name not in _READERS:
        raise ConfigError("benchmark", repr(name), f"one of {list(BENCHMARKS)}")
    return _READERS[name]


def read_benchmark(name: str, root: Path) -> Iterator[Record]:
    """All records of a benchmark, read from its folder ``root`` (``data/<benchmark>``).

    Raises:
        UnsafePathError: If an annotation file is a link that leaves ``root``.
        AnnotationError: At the first fault in the files.
    """
    reader = reader_for(name)
    for path in reader.sources(root):
        inside(root, path.relative_to(root).as_posix(), place=path.name)
    yield from reader.read(root)
