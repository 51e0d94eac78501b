"""The marker of a user's own data in a benchmark's layout.

It lifts what only the published set must keep, its counts and its class list, and nothing else.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from geomag.data.benchmarks.rows import row_of
from geomag.errors import AnnotationError
from geomag.io import read_json

OWN_MARKER = "OWN.json"
"""File in the root of own data: ``{"benchmark", "counts": {split: n}, "kinds": {class: n},
"labels"}``."""


class _Marker(TypedDict):
    """The file."""

    benchmark: Annotated[str, Field(description="Whose layout the data are in.")]
    counts: Annotated[dict[str, int], Field(description="Records by split.")]
    kinds: NotRequired[Annotated[dict[str, int], Field(description="Records by class.")]]
    labels: NotRequired[Annotated[str, Field(description="``boxes``: masks are filled boxes.")]]


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
    marker = row_of(_Marker, read_json(path), place=str(path))
    if marker["benchmark"] != benchmark:
        raise AnnotationError(str(path), f"own data for {marker['benchmark']}", benchmark)
    return OwnMarker(marker["counts"], marker.get("kinds", {}), marker.get("labels") == "boxes")
