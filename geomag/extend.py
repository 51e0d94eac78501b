"""Benchmarks, metrics and prediction formats that somebody else adds, without an edit here.

A file of theirs calls `add_benchmark` or `add_format` when it is imported. `geomag score`,
`compare` and `convert` import what ``GEOMAG_PLUGINS`` names (files, parted as in PATH) and what
installed packages declare as entry points of the group ``geomag.plugins``.
"""

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geomag.data.benchmarks import BENCHMARKS, Benchmark
from geomag.errors import ConfigError

if TYPE_CHECKING:
    from geomag.data.records import Record
    from geomag.evaluate.score.run import Scorer

GROUP = "geomag.plugins"
VARIABLE = "GEOMAG_PLUGINS"

ReadRecords = Callable[[Path], "Iterable[Record]"]
ReadPredictions = Callable[[Path], Iterator[dict[str, Any]]]
_loaded: set[Path] = set()


@dataclass(frozen=True, slots=True)
class _Reader:
    benchmark: str
    read_records: ReadRecords

    def sources(self, root: Path) -> tuple[Path, ...]:
        return ()

    def read(self, root: Path) -> "Iterator[Record]":
        yield from self.read_records(root)


def add_benchmark(
    benchmark: Benchmark, read: ReadRecords, *, scorer: "Scorer | None" = None
) -> None:
    """Make a benchmark known to `geomag score` and `geomag compare`.

    Args:
        benchmark: Its name and task; the task decides baselines, and metrics without a scorer.
        read: From the folder given as ``--data`` to the records of all splits.
        scorer: Metrics of its own.

    Raises:
        ConfigError: If the name is taken.
    """
    from geomag.data.benchmarks.registry import add_reader
    from geomag.evaluate.score.run import OWN_SCORERS

    if benchmark.name in BENCHMARKS:
        raise ConfigError("benchmark", f"{benchmark.name!r} is there already", "another name")
    BENCHMARKS[benchmark.name] = benchmark
    add_reader(_Reader(benchmark.name, read))
    if scorer is not None:
        OWN_SCORERS[benchmark.name] = scorer


def add_format(name: str, read: ReadPredictions) -> None:
    """Make a format of predictions known to `geomag convert`.

    Args:
        name: First argument of the command.
        read: From a file or folder to prediction rows: ``id``, ``text``, ``masks``, ``phrases``.

    Raises:
        ConfigError: If the name is taken.
    """
    from geomag.evaluate.importers.formats import FORMATS

    if name in FORMATS:
        raise ConfigError("format", f"{name!r} is there already", "another name")
    FORMATS[name] = read


def load_plugins() -> None:
    """Import the files of ``GEOMAG_PLUGINS`` and the entry points, each once.

    Raises:
        ConfigError: If a file is not there.
    """
    for name in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        _import_file(Path(name))
    for entry in entry_points(group=GROUP):
        entry.load()


def _import_file(path: Path) -> None:
    if path.resolve() in _loaded:
        return
    if not path.is_file():
        raise ConfigError(f"{VARIABLE}, {path}", "no such file", "Python files, parted as in PATH")
    spec = importlib.util.spec_from_file_location(f"geomag_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{VARIABLE}, {path}", "not a Python file", "a name that ends in .py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    _loaded.add(path.resolve())
