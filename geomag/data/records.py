"""One record per expression, question, box or image: what readers yield and stages read."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from geomag.data.tasks import Split, Task
from geomag.errors import AnnotationError
from geomag.geometry import PixelBox, Rle
from geomag.io import read_jsonl, write_jsonl

_SPLITS: dict[str, Split] = {str(split): split for split in Split}
_TASKS: dict[str, Task] = {str(task): task for task in Task}


@cache
def _field_names() -> frozenset[str]:
    return frozenset(f.name for f in fields(Record))


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One sample of a benchmark, free of its file format."""

    benchmark: str
    id: str
    """Unique in the benchmark; each page of protocols/ says what it is."""
    split: Split
    task: Task
    image: str
    """Path of the image, relative to the benchmark's root, with forward slashes."""
    width: int
    """Side in pixels."""
    height: int
    """Side in pixels."""
    text: str = ""
    """Referring phrase, question, or GCG description with tags; empty for the other tasks."""
    answers: tuple[str, ...] = ()
    """References: the answer, the class's display name, or the captions, raw."""
    kind: str = ""
    """Question type (presence, comp, count, area, rural_urban) or class of the target."""
    masks: tuple[Rle, ...] = ()
    """Ground truth at the image's size; one per phrase."""
    phrases: tuple[str, ...] = ()
    """Phrases of a GCG description, one per mask."""
    boxes: tuple[PixelBox, ...] = ()
    """Boxes, half-open, whatever the benchmark prints: its reader says how its corners are read."""
    notes: tuple[str, ...] = ()
    """Errata met while reading this record (``mask_resized``, ``empty_mask`` ...)."""

    def to_json(self) -> dict[str, Any]:
        """The record as JSON-able values, empty fields left out."""
        row = {key: value for key, value in asdict(self).items() if value not in ("", ())}
        if self.boxes:
            row["boxes"] = [box.corners for box in self.boxes]
        return row

    @classmethod
    def from_json(cls, row: dict[str, Any], *, place: str) -> "Record":
        """Rebuild a record that `to_json` wrote.

        Raises:
            AnnotationError: On a missing or unknown key.
        """
        if not row.keys() <= _field_names():
            unknown = sorted(row.keys() - _field_names())
            raise AnnotationError(
                place, f"unknown keys {unknown}", remedy="run the validate stage again"
            )
        try:
            values = dict(row)
            values["split"] = _SPLITS.get(row["split"]) or Split(row["split"])
            values["task"] = _TASKS.get(row["task"]) or Task(row["task"])
            for name in ("answers", "masks", "phrases", "notes"):
                if name in row:
                    values[name] = tuple(row[name])
            if "boxes" in row:
                values["boxes"] = tuple(PixelBox(*corners) for corners in row["boxes"])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as broken:
            raise AnnotationError(
                place, f"not a record ({broken})", remedy="run the validate stage again"
            ) from broken


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write records as JSON Lines, atomically; returns their number."""
    return write_jsonl(path, (record.to_json() for record in records))


def read_records(path: Path, *, splits: Iterable[Split] | None = None) -> Iterator[Record]:
    """Yield the records of a file that `write_records` wrote, of ``splits`` only if given."""
    wanted = None if splits is None else {str(split) for split in splits}
    for number, row in enumerate(read_jsonl(path), start=1):
        if wanted is None or row.get("split") in wanted:
            yield Record.from_json(row, place=f"{path}, line {number}")
