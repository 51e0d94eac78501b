"""The formats by name; `geomag.extend.add_format` adds one from outside."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from geomag.errors import PredictionError
from geomag.evaluate.importers import csv_table, geochat_bench, glamm
from geomag.io import write_jsonl

FORMATS: dict[str, Callable[[Path], Iterator[dict[str, Any]]]] = {
    "csv": csv_table.read,
    "geochat-bench": geochat_bench.read,
    "glamm": glamm.read,
}


def convert(name: str, source: Path, out: Path) -> int:
    """Write another project's predictions as ours; returns the number of rows.

    Raises:
        PredictionError: On an unknown format, or as the format's reader says.
    """
    if name not in FORMATS:
        raise PredictionError("format", repr(name), f"one of {', '.join(FORMATS)}")
    return write_jsonl(out, FORMATS[name](source))
