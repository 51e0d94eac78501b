"""The formats by name; `geomag.extend.add_format` adds one from outside."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.data.records import Record
from geomag.errors import PredictionError
from geomag.evaluate.importers import (
    coco_results,
    csv_table,
    earthdial,
    geochat_bench,
    glamm,
    lmms_eval,
    spelled_lines,
    vlmevalkit,
)
from geomag.evaluate.importers.matching import Matches, match_rows
from geomag.io import write_jsonl

FORMATS: dict[str, Callable[[Path], Iterator[dict[str, Any]]]] = {
    "coco": coco_results.read,
    "csv": csv_table.read,
    "earthdial": earthdial.read,
    "geochat-bench": geochat_bench.read,
    "glamm": glamm.read,
    "jsonl": spelled_lines.read,
    "lmms-eval": lmms_eval.read,
    "vlmevalkit": vlmevalkit.read,
}


@dataclass(frozen=True, slots=True)
class Converted:
    """Counts of what was written."""

    n_rows: int
    n_replaced: int
    """Texts with half a character, which no UTF-8 file can hold: a question mark stands there."""
    matches: Matches
    """How rows without an id of ours found one."""


def convert(
    name: str, source: Path, out: Path, records: Iterable[Record] | None = None
) -> Converted:
    """Write another project's predictions as ours.

    Args:
        name: The format.
        source: File or folder in it.
        out: Predictions file to write.
        records: The benchmark's records, to find the ids that some formats do not hold.

    Raises:
        PredictionError: On an unknown format, rows without an id and no records to find it by, or
            as the format's reader says.
    """
    if name not in FORMATS:
        raise PredictionError("format", repr(name), f"one of {', '.join(FORMATS)}")
    replaced, matches = 0, Matches()
    read = FORMATS[name](source)
    found = (
        _with_ids(read, name, source)
        if records is None
        else match_rows(read, records, str(source), matches)
    )

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal replaced
        for row in found:
            whole = whole_characters(row)
            replaced += whole != row
            yield whole

    return Converted(write_jsonl(out, rows()), replaced, matches)


def _with_ids(rows: Iterator[dict[str, Any]], name: str, source: Path) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(rows, start=1):
        if "id" not in row:
            raise PredictionError(
                f"{source}, row {number}",
                f"{name} holds no id of ours here",
                "the records that were asked about",
                "name them: --benchmark NAME, with --data or --records",
            )
        yield row


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
