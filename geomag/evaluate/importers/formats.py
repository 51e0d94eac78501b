"""The formats by name; `geomag.extend.add_format` adds one from outside."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.errors import PredictionError
from geomag.evaluate.importers import (
    coco_results,
    csv_table,
    geochat_bench,
    glamm,
    spelled_lines,
)
from geomag.io import write_jsonl

FORMATS: dict[str, Callable[[Path], Iterator[dict[str, Any]]]] = {
    "coco": coco_results.read,
    "csv": csv_table.read,
    "geochat-bench": geochat_bench.read,
    "glamm": glamm.read,
    "jsonl": spelled_lines.read,
}


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written."""

    n_rows: int
    n_replaced: int
    """Texts with half a character, which no UTF-8 file can hold: a question mark stands there."""


def convert(name: str, source: Path, out: Path) -> Converted:
    """Write another project's predictions as ours.

    Raises:
        PredictionError: On an unknown format, or as the format's reader says.
    """
    if name not in FORMATS:
        raise PredictionError("format", repr(name), f"one of {', '.join(FORMATS)}")
    replaced = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal replaced
        for row in FORMATS[name](source):
            whole = whole_characters(row)
            replaced += whole != row
            yield whole

    return Converted(write_jsonl(out, rows()), replaced)


def whole_characters(value: Any) -> Any:
    """The value with each half of a surrogate pair, which JSON can spell, as ``?``.

    >>> whole_characters({"text": "a" + chr(0xD800), "n": [1]})
    {'text': 'a?', 'n': [1]}
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {whole_characters(key): whole_characters(one) for key, one in value.items()}
    return [whole_characters(one) for one in value] if isinstance(value, list) else value
