"""Typed access to annotation fields: a wrong one is named by file, record, key and value."""

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any, TypeVar

from geomag.errors import AnnotationError, UnsafePathError, shown
from geomag.geometry import PixelBox

T = TypeVar("T")


_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def field(row: Any, key: str, kind: type[T], *, place: str) -> T:
    """The value under ``key``, of type ``kind``; a bool is no int.

    Raises:
        AnnotationError: With the keys found, or the value found.
    """
    if not isinstance(row, dict):
        raise AnnotationError(place, f"a {type(row).__name__}", f"an object with the key {key!r}")
    if key not in row:
        raise AnnotationError(place, f"keys {sorted(map(str, row))}", f"a key {key!r}")
    value = row[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise AnnotationError(f"{place}, {key}", shown(value), f"a value of type {kind.__name__}")
    return value


def number(value: Any, *, place: str) -> float:
    """A finite number, also one written as text; ``216,00``, NaN and blanks are refused."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    is_text = isinstance(value, str) and _NUMBER.fullmatch(value.strip()) is not None
    try:
        found = float(value) if is_number or is_text else math.nan
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise AnnotationError(place, shown(value), "a finite number with a decimal point")
    return found


def box_of(values: Sequence[Any], *, place: str) -> PixelBox:
    """A half-open box from printed corners ``xmin, ymin, xmax, ymax`` in pixels.

    The numbers are taken as edges, unshifted, as the reference loaders of DIOR-RSVG and RRSIS-D
    take them. Where an author meant the last pixel inside, counted from 1, as Pascal VOC does, the
    box is a pixel to the right and below of his first one (docs/decisions/0101-half-open-boxes.md).

    Raises:
        AnnotationError: On another count, something that is no number, or reversed corners.
    """
    if len(values) != 4:
        raise AnnotationError(place, f"{len(values)} values", "xmin, ymin, xmax, ymax")
    x0, y0, x1, y1 = (number(value, place=place) for value in values)
    if not (x0 < x1 and y0 < y1):
        raise AnnotationError(
            place, f"box ({x0:g}, {y0:g}, {x1:g}, {y1:g})", "xmin < xmax and ymin < ymax"
        )
    return PixelBox(x0, y0, x1, y1)


def stated_size(root: Any, place: str) -> tuple[int, int] | None:
    """``(width, height)`` of ``<size>`` in Pascal VOC's XML; None where it is left out or 0."""
    sides = [(root.findtext(f"size/{side}") or "0").strip() for side in ("width", "height")]
    width, height = (number(side, place=f"{place}, size") for side in sides)
    return (int(width), int(height)) if width and height else None


def refuse_other_size(stated: tuple[int, int] | None, found: tuple[int, int], place: str) -> None:
    """Refuse boxes of a picture of another size: they would lie elsewhere in this one.

    Raises:
        AnnotationError: With both sizes, ``(width, height)``.
    """
    if stated is not None and stated != found:
        raise AnnotationError(
            f"{place}, size",
            f"{stated[0]} x {stated[1]} pixels, and the picture has {found[0]} x {found[1]}",
            "the picture that was annotated",
            "annotate this one again, or bring back the original",
        )


def file_stem(name: str, *, place: str) -> str:
    """Stem of a bare or slashed file name found in data.

    Raises:
        UnsafePathError: On an absolute path, ``..``, a backslash or a drive.
    """
    pure = PurePosixPath(name)
    if not pure.name or pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name:
        raise UnsafePathError(place, f"path {name!r} may leave the data root", "a plain file name")
    return pure.stem


def by_id(rows: Iterable[Any], *, place: str) -> dict[int, dict[str, Any]]:
    """Index objects by their ``id``.

    Raises:
        AnnotationError: If two share one, with both positions.
    """
    indexed: dict[int, dict[str, Any]] = {}
    positions: dict[int, int] = {}
    for position, row in enumerate(rows):
        key = field(row, "id", int, place=f"{place}[{position}]")
        if key in indexed:
            raise AnnotationError(
                place, f"id {key} stands at {positions[key]} and at {position}", "each id once"
            )
        indexed[key], positions[key] = row, position
    return indexed
