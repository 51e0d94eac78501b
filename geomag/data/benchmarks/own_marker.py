"""The marker of a user's own data in a benchmark's layout.

It lifts what only the published set must keep, its counts and its class list, and nothing else.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.data.benchmarks.fields import field
from geomag.errors import AnnotationError
from geomag.io import read_json

OWN_MARKER = "OWN.json"
"""File in the root of own data: ``{"benchmark", "counts": {split: n}, "kinds": {class: n},
"labels"}``."""


@dataclass(frozen=True, slots=True)
class OwnMarker:
    """What the marker says."""

    counts: dict[str, int]
    """Records by split."""
    kinds: dict[str, int]
    """Records by class, or by question type; may be empty."""
    has_box_masks: bool
    """The masks are filled boxes."""


def own_marker(root: Path, benchmark: str) -> OwnMarker | None:
    """The marker of ``root``; None if it holds the published set or the sample.

    Raises:
        AnnotationError: If it is the marker of another benchmark, or incomplete.
    """
    path = root / OWN_MARKER
    if not path.is_file():
        return None
    row: Any = read_json(path)
    if field(row, "benchmark", str, place=str(path)) != benchmark:
        raise AnnotationError(str(path), f"own data for {row['benchmark']}", benchmark)
    counts, kinds = field(row, "counts", dict, place=str(path)), row.get("kinds", {})
    return OwnMarker(dict(counts), dict(kinds), row.get("labels") == "boxes")
