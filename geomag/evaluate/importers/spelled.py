"""Masks as other projects spell them: run lengths as text, bytes or numbers, and polygons."""

import ast
from collections.abc import Sequence
from typing import Any

from geomag.data.benchmarks.fields import number
from geomag.data.benchmarks.masks import coco_polygon_rle
from geomag.data.images import MAX_PIXELS
from geomag.errors import PredictionError, shown
from geomag.geometry import Rle
from geomag.rle import read_rle

_WANTED = "an RLE with size and counts, or polygons [x, y, x, y ...] with height and width"
_FARTHEST = 32_767
"""Pixels from the corner; farther points are no pixel coordinates."""


def spelled_masks(value: Any, size: Sequence[Any] | None, place: str) -> list[Rle]:
    """One value of another project as masks of ours.

    Args:
        value: An RLE, a list of RLEs, or the polygons of one mask.
        size: ``(height, width)`` in pixels for polygons, which do not say it; None if unknown.
        place: File and record, for messages.

    Raises:
        PredictionError: On anything else, or runs that do not fill their size.
    """
    if value is None or value == []:
        return []
    if isinstance(value, dict):
        return [_of_runs(value, place)]
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return [_of_runs(one, f"{place}, mask {k}") for k, one in enumerate(value, start=1)]
    if isinstance(value, list):
        flat = value if isinstance(value[0], list) else [value]
        return [_of_polygons(flat, size, place)]
    raise PredictionError(place, f"masks {shown(value)}", _WANTED)


def _of_runs(value: dict[str, Any], place: str) -> Rle:
    height, width = _size(value.get("size"), place)
    counts = value.get("counts")
    if isinstance(counts, list):
        return _compressed(counts, height, width, place)
    if isinstance(counts, str) and counts[:2] in ("b'", 'b"'):  # Python's spelling of bytes
        try:
            counts = ast.literal_eval(counts).decode("ascii")
        except (ValueError, SyntaxError, UnicodeDecodeError, AttributeError) as broken:
            raise PredictionError(place, f"counts {shown(counts)}", _WANTED) from broken
    try:
        return read_rle({"size": [height, width], "counts": counts}, height, width)
    except ValueError as broken:
        raise PredictionError(place, str(broken), _WANTED) from broken


def _compressed(counts: list[Any], height: int, width: int, place: str) -> Rle:
    """Run lengths as numbers, background first, in COCO's code."""
    from pycocotools import mask as coco

    pixels = height * width
    if not all(type(run) is int and 0 <= run <= pixels for run in counts):
        raise PredictionError(f"{place}, counts", shown(counts), "whole numbers of pixels")
    if sum(counts) != pixels:
        raise PredictionError(
            f"{place}, counts", f"runs that cover {sum(counts)} pixels", f"{pixels} pixels"
        )
    coded = coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return {"size": [height, width], "counts": coded["counts"].decode("ascii")}


def _of_polygons(polygons: list[Any], size: Sequence[Any] | None, place: str) -> Rle:
    height, width = _size(size, place)
    rings: list[list[float]] = []
    for position, polygon in enumerate(polygons):
        where = f"{place}, polygon {position}"
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise PredictionError(where, shown(polygon), "three or more points x, y, x, y ...")
        ring = [number(value, place=where) for value in polygon]
        if max(map(abs, ring)) > _FARTHEST:
            raise PredictionError(where, shown(polygon), "pixel coordinates")
        rings.append(ring)
    return coco_polygon_rle(rings, width=width, height=height)


def _size(size: Any, place: str) -> tuple[int, int]:
    """``(height, width)`` of a mask, in pixels."""
    whole = isinstance(size, (list, tuple)) and len(size) == 2
    sides = [number(side, place=f"{place}, size") for side in size] if whole else []
    if not sides or not all(side > 0 and side == int(side) for side in sides):
        raise PredictionError(f"{place}, size", shown(size), "height and width in pixels")
    if sides[0] * sides[1] > MAX_PIXELS:
        raise PredictionError(f"{place}, size", shown(size), f"at most {MAX_PIXELS:,} pixels")
    return int(sides[0]), int(sides[1])
