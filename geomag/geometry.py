"""Boxes and masks with their units: half-open pixel boxes, ``bool [H, W]`` masks, RLE at rest.

RLE is COCO's compressed form ``{"size": [h, w], "counts": str}``, column-major
(protocols: pixel 4.5). pycocotools encodes, decodes and intersects it in C on integers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

BoolMask = NDArray[np.bool_]


class Rle(TypedDict):
    """A compressed COCO run-length mask; ``counts`` is text, as it stands in JSON."""

    size: list[int]
    counts: str


@dataclass(frozen=True, slots=True)
class PixelBox:
    """Axis-aligned box in pixels of one image, half-open: x in [x0, x1), y in [y0, y1)."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            raise ValueError(
                f"box ({self.x0}, {self.y0}, {self.x1}, {self.y1}) is empty or reversed"
            )

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.y1 - self.y0

    def contains(self, other: "PixelBox") -> bool:
        """Whether ``other`` lies in this box, borders included."""
        return (
            self.x0 <= other.x0
            and self.y0 <= other.y0
            and self.x1 >= other.x1
            and self.y1 >= other.y1
        )

    def shifted(self, dx: float, dy: float) -> "PixelBox":
        """The box moved by ``(dx, dy)`` pixels."""
        return PixelBox(self.x0 + dx, self.y0 + dy, self.x1 + dx, self.y1 + dy)

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """``(x0, y0, x1, y1)``."""
        return self.x0, self.y0, self.x1, self.y1

    def as_ints(self) -> tuple[int, int, int, int]:
        """``(x0, y0, x1, y1)`` for slicing; the box must lie on pixel borders."""
        ints = (int(self.x0), int(self.y0), int(self.x1), int(self.y1))
        if ints != (self.x0, self.y0, self.x1, self.y1):
            raise ValueError(f"{self} does not lie on pixel borders")
        return ints


def encode_mask(mask: BoolMask) -> Rle:
    """Compress a mask ``[H, W]``.

    >>> m = np.zeros((4, 5), bool); m[1:3, 1:4] = True
    >>> encode_mask(m)
    {'size': [4, 5], 'counts': '5220003'}
    """
    from pycocotools import mask as coco  # C extension, loaded only where masks are handled

    rle = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {
        "size": [int(rle["size"][0]), int(rle["size"][1])],
        "counts": rle["counts"].decode("ascii"),
    }


def _coco_rle(rle: Rle) -> dict[str, Any]:
    return {"size": list(rle["size"]), "counts": rle["counts"].encode("ascii")}


def decode_mask(rle: Rle) -> BoolMask:
    """Expand an RLE to ``bool [H, W]``."""
    from pycocotools import mask as coco

    return np.asarray(coco.decode(_coco_rle(rle)), dtype=bool)


def mask_area(rle: Rle) -> int:
    """Number of foreground pixels, without decoding."""
    from pycocotools import mask as coco

    return int(coco.area(_coco_rle(rle)))


def intersection_and_union(first: Rle, second: Rle) -> tuple[int, int]:
    """Pixels in both masks and in either, counted on runs.

    Raises:
        ValueError: If the sizes differ.
    """
    from pycocotools import mask as coco

    if list(first["size"]) != list(second["size"]):
        raise ValueError(f"masks of sizes {first['size']} and {second['size']} cannot be compared")
    a, b = _coco_rle(first), _coco_rle(second)
    both = int(coco.area(coco.merge([a, b], intersect=True)))
    return both, int(coco.area(a)) + int(coco.area(b)) - both


def union_of(masks: Sequence[Rle]) -> Rle:
    """The union of masks of one size."""
    from pycocotools import mask as coco

    merged = coco.merge([_coco_rle(m) for m in masks], intersect=False)
    return {"size": [int(s) for s in merged["size"]], "counts": merged["counts"].decode("ascii")}


def box_mask(box: PixelBox, *, height: int, width: int) -> BoolMask:
    """The box filled: ``bool [H, W]``, True where a pixel's centre lies inside.

    Args:
        box: May leave the image; a box too thin to hold a centre fills the pixel of its own middle.
        height: Of the image, pixels.
        width: Of the image, pixels.

    >>> box_mask(PixelBox(1, 0, 3, 2), height=2, width=4).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0]]
    """
    mask = np.zeros((height, width), dtype=bool)
    mask[_centres(box.y0, box.y1), _centres(box.x0, box.x1)] = True
    return mask


def _centres(low: float, high: float) -> slice:
    """Indices of the pixels whose centre lies in ``[low, high)``, at least one."""
    first, end = math.ceil(low - 0.5), math.ceil(high - 0.5)
    if first == end:
        first = math.floor((low + high) / 2)
        end = first + 1
    return slice(max(first, 0), max(end, 0))


def box_of_mask(mask: BoolMask) -> PixelBox | None:
    """Tight half-open box of the foreground, or None when there is none."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    return PixelBox(float(cols[0]), float(rows[0]), float(cols[-1] + 1), float(rows[-1] + 1))
