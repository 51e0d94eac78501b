"""A picture and, beside it, whose each pixel is: masks come from the labels, never from colours.

Integer coordinates and no anti-aliasing, so the visible mask of an object is exact.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from geomag.geometry import BoolMask
from geomag.sample.draw.palette import Rgb, lighter
from geomag.sample.draw.textures import Image, ground

Points = NDArray[np.float64]
Polygon = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Stroke:
    """Paint inside a sprite: a filled polygon, or a line if ``width`` (in sprite units) is set."""

    points: Points
    rgb: Rgb
    width: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sprite:
    """An object in its own frame: x, y in [-0.5, 0.5], the long side is 1."""

    outline: tuple[Points, ...]
    """Polygons whose union is the object's silhouette."""
    rgb: Rgb
    strokes: tuple[Stroke, ...] = ()
    pad: str = ""
    """Ground it stands on: ``water``, ``land`` or empty for either."""
    shadow: float = 0.0
    """Length of the shadow in sprite units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """A sprite set down in the picture: its silhouette as a mask within a window."""

    sprite: Sprite
    x0: int
    y0: int
    mask: BoolMask
    turn: NDArray[np.float64]
    """``[2, 3]`` map from the sprite's frame to picture pixels."""

    @property
    def rows(self) -> slice:
        """Rows of the picture that the window covers."""
        return slice(self.y0, self.y0 + self.mask.shape[0])

    @property
    def columns(self) -> slice:
        """Columns of the picture that the window covers."""
        return slice(self.x0, self.x0 + self.mask.shape[1])

    def pixels(self, points: Points) -> NDArray[np.int32]:
        """Points of the sprite's frame as pixels of the window, ``[N, 2]``."""
        moved = points @ self.turn[:, :2].T + self.turn[:, 2]
        return np.rint(moved).astype(np.int32) - np.array([self.x0, self.y0], np.int32)


@dataclass(slots=True)
class Item:
    """One object on a canvas: what it is, and its area before anything covered it."""

    category: str
    colour: str
    area: int
    rows: slice
    columns: slice


@dataclass(frozen=True, slots=True)
class Laid:
    """Where a ground was laid: a window of the picture and the mask within it."""

    rows: slice
    columns: slice
    mask: BoolMask


@dataclass(slots=True)
class Canvas:
    """Picture ``[H, W, 3]`` and labels ``[H, W]``: 0 is ground, k is item k - 1."""

    image: Image
    ground: str
    labels: NDArray[np.uint16] = field(init=False)
    items: list[Item] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.labels = np.zeros(self.image.shape[:2], np.uint16)

    @property
    def width(self) -> int:
        """Side in pixels."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Side in pixels."""
        return int(self.image.shape[0])

    def footprint(
        self, sprite: Sprite, *, x: float, y: float, length: float, angle: float = 0.0
    ) -> Footprint | None:
        """Where the sprite would lie around ``(x, y)``, turned ``angle`` rad; None if outside."""
        cos, sin = float(np.cos(angle)) * length, float(np.sin(angle)) * length
        turn = np.array([[cos, -sin, x], [sin, cos, y]])
        shapes = [np.rint(p @ turn[:, :2].T + turn[:, 2]).astype(np.int32) for p in sprite.outline]
        every = np.concatenate(shapes)
        x0, y0 = (int(v) for v in np.maximum(every.min(axis=0), 0))
        x1, y1 = (int(v) for v in every.max(axis=0) + 1)
        x1, y1 = min(x1, self.width), min(y1, self.height)
        if x1 <= x0 or y1 <= y0:
            return None
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        for shape in shapes:
            cv2.fillPoly(mask, [shape - np.array([x0, y0], np.int32)], 1)
        if not mask.any():
            return None
        return Footprint(sprite=sprite, x0=x0, y0=y0, mask=mask.astype(bool), turn=turn)

    def covered(self, spot: Footprint) -> dict[int, int]:
        """Pixels of each item (by index) that the footprint would cover."""
        below = self.labels[spot.rows, spot.columns][spot.mask]
        if not below.any():
            return {}
        counts = np.bincount(below)
        return {int(k) - 1: int(counts[k]) for k in np.flatnonzero(counts) if k}

    def visible(self, index: int) -> BoolMask:
        """Pixels of an item that still show, within its own window."""
        item = self.items[index]
        return np.asarray(self.labels[item.rows, item.columns] == index + 1)

    def stamp(self, spot: Footprint, *, category: str = "", colour: str = "") -> None:
        """Paint a footprint; with a category it becomes an item, else it is mere scenery.

        Scenery never covers an item.
        """
        view = self.image[spot.rows, spot.columns]
        labels = self.labels[spot.rows, spot.columns]
        shown = spot.mask if category else spot.mask & (labels == 0)
        self._shade(spot)
        patch = np.empty_like(view)
        patch[:] = spot.sprite.rgb
        for stroke in spot.sprite.strokes:
            points = spot.pixels(stroke.points)
            if stroke.width > 0:
                scale = float(np.hypot(spot.turn[0, 0], spot.turn[1, 0]))
                thick = max(1, round(stroke.width * scale))
                cv2.polylines(patch, [points], False, stroke.rgb, thick)
            else:
                cv2.fillPoly(patch, [points], stroke.rgb)
        np.copyto(view, patch, where=shown[:, :, None])
        if category:
            area = int(np.count_nonzero(shown))
            self.items.append(Item(category, colour, area, spot.rows, spot.columns))
            labels[shown] = len(self.items)

    def _shade(self, spot: Footprint) -> None:
        """Darken the ground to the lower right of a tall object."""
        scale = float(np.hypot(spot.turn[0, 0], spot.turn[1, 0]))
        step = round(spot.sprite.shadow * scale)
        rows, cols = spot.mask.shape
        y0, x0 = spot.y0 + step, spot.x0 + step
        rows, cols = min(rows, self.height - y0), min(cols, self.width - x0)
        if step < 1 or rows <= 0 or cols <= 0:
            return
        window = slice(y0, y0 + rows), slice(x0, x0 + cols)
        dark = spot.mask[:rows, :cols] & (self.labels[window] == 0)
        view = self.image[window]
        np.copyto(view, view >> 1, where=dark[:, :, None])

    def spread(
        self, rng: np.random.Generator, kind: str, shapes: list[NDArray[np.int32]]
    ) -> Laid | None:
        """Lay another ground inside polygons (picture pixels), under everything drawn so far."""
        every = np.concatenate(shapes)
        x0, y0 = (int(v) for v in np.maximum(every.min(axis=0), 0))
        x1 = min(int(every[:, 0].max()) + 1, self.width)
        y1 = min(int(every[:, 1].max()) + 1, self.height)
        if x1 <= x0 or y1 <= y0:
            return None
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(mask, [s - np.array([x0, y0], np.int32) for s in shapes], 1)
        rows, columns = slice(y0, y1), slice(x0, x1)
        laid = Laid(rows, columns, mask.astype(bool) & (self.labels[rows, columns] == 0))
        piece = ground(rng, kind, width=x1 - x0, height=y1 - y0)
        np.copyto(self.image[rows, columns], piece, where=laid.mask[:, :, None])
        return laid


def polygons_of(mask: BoolMask, *, x0: int = 0, y0: int = 0) -> tuple[Polygon, ...]:
    """Integer polygons whose `cv2.fillPoly` is ``mask``, each without a hole, offset by (x0, y0).

    A part with a hole is cut in two through the hole, because annotations that OR filled
    polygons (GeoPixelD protocol) cannot express one.
    """
    found, tree = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not found:
        return ()
    holes = np.flatnonzero(tree[0, :, 3] >= 0)
    if holes.size:
        hole = found[int(holes[0])][:, 0, 0]
        middle = (int(hole.min()) + int(hole.max())) // 2
        left, right = mask.copy(), mask.copy()
        left[:, middle + 1 :] = False
        right[:, : middle + 1] = False
        return polygons_of(left, x0=x0, y0=y0) + polygons_of(right, x0=x0, y0=y0)
    return tuple(tuple((int(x) + x0, int(y) + y0) for x, y in part[:, 0, :]) for part in found)


def tint(rng: np.random.Generator, rgb: Rgb, spread: int = 14) -> Rgb:
    """The colour, a little lighter or darker."""
    return lighter(rgb, int(rng.integers(-spread, spread + 1)))
