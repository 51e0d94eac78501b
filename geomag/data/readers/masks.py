"""Ground-truth masks from RLE and polygons, checked before C code sees them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from geomag.data.images import MAX_PIXELS
from geomag.data.readers.fields import field, number
from geomag.errors import AnnotationError
from geomag.geometry import BoolMask, Rle, decode_mask, encode_mask


def rle_of(value: Any, *, place: str) -> Rle:
    """A compressed COCO RLE whose runs fill its size exactly.

    pycocotools decodes runs that are too short into whatever lay in memory, so they are
    summed here first.

    Raises:
        AnnotationError: On a wrong size, wrong characters or runs that do not add up.
    """
    size = field(value, "size", list, place=place)
    counts = field(value, "counts", str, place=place)
    if len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        raise AnnotationError(f"{place}, size", f"{size}", "[height, width]")
    height, width = size
    if height * width > MAX_PIXELS:
        raise AnnotationError(f"{place}, size", f"{size}", f"at most {MAX_PIXELS:,} pixels")
    runs = _runs(counts)
    if runs is None or min(runs, default=0) < 0 or sum(runs) != height * width:
        raise AnnotationError(
            f"{place}, counts",
            "no runs" if runs is None else f"runs of {sum(runs)} pixels",
            f"{height} x {width} = {height * width} pixels",
            "fetch the annotation file again",
        )
    return {"size": [height, width], "counts": counts}


def _runs(counts: str) -> list[int] | None:
    """Run lengths of COCO's text form: five bits a character, differences from the third run on."""
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            return None
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return None if shift else runs


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
        raise AnnotationError(place, f"{polygon!r:.60}", "a list of [x, y] points")
    points: list[tuple[int, int]] = []
    for position, point in enumerate(polygon):
        where = f"{place}, point {position}"
        if not isinstance(point, list) or len(point) != 2:
            raise AnnotationError(where, f"{point!r:.60}", "[x, y]")
        x, y = (number(value, place=where) for value in point)
        if max(abs(x), abs(y)) > 32_767:
            raise AnnotationError(where, f"({x:g}, {y:g})", "pixel coordinates of the image")
        points.append((int(x), int(y)))
    return points


def fill_polygons(
    polygons: Sequence[Sequence[tuple[int, int]]], *, width: int, height: int
) -> BoolMask:
    """OR of the polygons, each filled with OpenCV's rule on int32 points, its border included.

    GeoPixelD protocol 5.4: a square (2,2) (5,2) (5,5) (2,5) covers 16 pixels. What lies outside
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
