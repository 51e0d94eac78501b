"""Ground-truth masks from RLE and polygons, checked before C code sees them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from geomag.data.benchmarks.fields import field, number
from geomag.data.images import MAX_PIXELS
from geomag.errors import AnnotationError, shown
from geomag.geometry import BoolMask, Rle, decode_mask, encode_mask
from geomag.rle import read_rle


def rle_of(value: Any, *, place: str) -> Rle:
    """A compressed COCO RLE whose runs fill its size exactly.

    Raises:
        AnnotationError: On a wrong size, wrong characters or runs that do not add up.
    """
    size = field(value, "size", list, place=place)
    if len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        raise AnnotationError(f"{place}, size", shown(size), "[height, width]")
    height, width = size
    if height * width > MAX_PIXELS:
        raise AnnotationError(f"{place}, size", f"{size}", f"at most {MAX_PIXELS:,} pixels")
    try:
        return read_rle(value, height, width)
    except ValueError as broken:
        raise AnnotationError(
            place,
            str(broken),
            f"{height} x {width} = {height * width} pixels",
            "fetch the annotation file again",
        ) from broken


def resized_nearest(rle: Rle, *, width: int, height: int) -> Rle:
    """The mask at another size, by Pillow's nearest neighbour as the references do."""
    small = Image.fromarray(decode_mask(rle).astype(np.uint8))
    large = small.resize((width, height), Image.Resampling.NEAREST)
    return encode_mask(np.asarray(large, dtype=bool))


def polygon_points(polygon: Any, *, place: str) -> list[tuple[int, int]]:
    """Corner points ``(x, y)`` of one polygon, integers.

    Raises:
        AnnotationError: On no points, a point that is no pair, or a coordinate far off any image.
    """
    if not isinstance(polygon, list) or not polygon:
        raise AnnotationError(place, shown(polygon), "a list of [x, y] points")
    points: list[tuple[int, int]] = []
    for position, point in enumerate(polygon):
        where = f"{place}, point {position}"
        if not isinstance(point, list) or len(point) != 2:
            raise AnnotationError(where, shown(point), "[x, y]")
        x, y = (number(value, place=where) for value in point)
        if max(abs(x), abs(y)) > 32_767:
            raise AnnotationError(where, f"({x:g}, {y:g})", "pixel coordinates of the image")
        points.append((int(x), int(y)))
    return points


def fill_polygons(
    polygons: Sequence[Sequence[tuple[int, int]]], *, width: int, height: int
) -> BoolMask:
    """OR of the polygons, each filled with OpenCV's rule on int32 points, its border included.

    protocols/gcg#polygons: a square (2,2) (5,2) (5,5) (2,5) covers 16 pixels. What lies outside
    the image is clipped.

    >>> int(fill_polygons([[(2, 2), (5, 2), (5, 5), (2, 5)]], width=8, height=8).sum())
    16
    """
    import cv2

    canvas = np.zeros((height, width), dtype=np.uint8)
    for polygon in polygons:
        cv2.fillPoly(canvas, [np.array(polygon, dtype=np.int32)], 1)
    return canvas.astype(bool)


def coco_polygon_rle(polygons: Sequence[Sequence[float]], *, width: int, height: int) -> Rle:
    """Union of flat ``[x, y, x, y ...]`` polygons by the COCO rule, as RRSIS-D's loader does."""
    from pycocotools import mask as coco

    merged = coco.merge(coco.frPyObjects([list(p) for p in polygons], height, width))
    return {"size": [height, width], "counts": merged["counts"].decode("ascii")}
