"""Moves that place recipes share: grounds in parts, bands, rows and scatters of sprites."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from geomag.geometry import BoolMask
from geomag.sample.draw.canvas import Canvas, Points, Sprite, tint
from geomag.sample.draw.categories import CATEGORIES
from geomag.sample.draw.outlines import band, blob, ellipse, rectangle
from geomag.sample.draw.palette import Rgb, shade
from geomag.sample.draw.sprites import lane

At = tuple[float, float]
"""A position or an extent as shares of the picture's width and height."""

_SOFT = ("grass", "meadow", "forest", "sand")
"""Grounds that trees and cars may be scattered on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How objects of a recipe look where it matters."""

    colours: tuple[str, ...] = ()
    """Colour words to choose from; the class's own by default."""
    angle: float | None = None
    """Radians; at random by default (rows: upright)."""
    fill: float = 1.0
    """Chance that a cell of a grid is taken."""


_ANY = Style()
_ACROSS = 2.2
"""Length of a road that crosses the picture at any angle."""


@dataclass(slots=True)
class Place:
    """A canvas under way; lengths are shares of its shorter side."""

    rng: np.random.Generator
    canvas: Canvas
    blocked: BoolMask = field(init=False)
    """``[H, W]``: water, paving and scenery on which nothing is scattered."""

    def __post_init__(self) -> None:
        self.blocked = np.zeros(self.canvas.labels.shape, bool)

    @property
    def side(self) -> int:
        """Shorter side in pixels: the unit of all lengths."""
        return min(self.canvas.width, self.canvas.height)

    def chance(self, low: float, high: float) -> float:
        """A uniform number."""
        return float(self.rng.uniform(low, high))

    def count(self, low: int, high: int) -> int:
        """A uniform whole number, both ends included."""
        return int(self.rng.integers(low, high + 1))

    def anywhere(self, margin: float = 0.0) -> At:
        """A position at least ``margin`` from every border."""
        return self.chance(margin, 1 - margin), self.chance(margin, 1 - margin)

    def _pixels(self, points: Points) -> NDArray[np.int32]:
        size = (self.canvas.width, self.canvas.height)
        return np.rint(points * size).astype(np.int32)

    def spread(self, kind: str, *shapes: Points) -> None:
        """Lay a ground inside shapes given in shares of the picture."""
        laid = self.canvas.spread(self.rng, kind, [self._pixels(s) for s in shapes])
        if laid is not None and kind not in _SOFT:
            self.blocked[laid.rows, laid.columns] |= laid.mask

    def pond(self, kind: str, at: At, size: At) -> None:
        """An irregular patch of a ground."""
        self.spread(kind, blob(self.rng, *size) + np.array(at))

    def strip(
        self,
        kind: str,
        width: float,
        *,
        angle: float | None = None,
        at: float = 0.5,
        bend: float = 0.0,
    ) -> None:
        """A band of ground from border to border; ``at`` shifts it sideways."""
        turn = self.chance(0, np.pi) if angle is None else angle
        x = np.linspace(-0.9, 0.9, 25)
        y = at - 0.5 + bend * np.sin(x * 5 + self.chance(0, 6))
        cos, sin = np.cos(turn), np.sin(turn)
        line = np.stack([0.5 + x * cos - y * sin, 0.5 + x * sin + y * cos], axis=1)
        self.spread(kind, band(line, width))

    def put(
        self,
        sprite: Sprite,
        at: At,
        length: float,
        angle: float = 0.0,
        *,
        name: tuple[str, str] = ("", ""),
    ) -> bool:
        """Stamp a sprite; tells whether it did.

        ``name`` is category and colour. A named sprite is left out where it would touch an
        object, one without a name is scenery.
        """
        x, y = at[0] * self.canvas.width, at[1] * self.canvas.height
        spot = self.canvas.footprint(sprite, x=x, y=y, length=length * self.side, angle=angle)
        if spot is None or (name[0] and self.canvas.covered(spot)):
            return False
        self.canvas.stamp(spot, category=name[0], colour=name[1])
        if not name[0]:
            self.blocked[spot.rows, spot.columns] |= spot.mask
        return True

    def thing(self, category: str, at: At, length: float, style: Style = _ANY) -> bool:
        """Put an object of a known class."""
        model = CATEGORIES[category]
        words = style.colours or model.colours
        colour = words[int(self.rng.integers(len(words)))] if words else ""
        rgb = shade(self.rng, colour) if colour else tint(self.rng, model.rgb)
        angle = self.chance(0, 2 * np.pi) if style.angle is None else style.angle
        return self.put(model.draw(self.rng, rgb), at, length, angle, name=(category, colour))

    def scatter(
        self, category: str, number: tuple[int, int], size: At, style: Style = _ANY
    ) -> None:
        """Up to ``number`` objects at random, where nothing is in their way."""
        for _ in range(self.count(*number)):
            at = self.anywhere(0.07)
            column, row = int(at[0] * self.canvas.width), int(at[1] * self.canvas.height)
            length = self.chance(*size)
            if not self.blocked[row, column]:
                self.thing(category, at, length, style)

    def grid(
        self,
        category: str,
        cells: tuple[int, int],
        size: float,
        style: Style = _ANY,
        *,
        box: tuple[float, float, float, float] = (0.05, 0.05, 0.95, 0.95),
    ) -> None:
        """Objects in ``cells`` columns and rows within ``box`` (x0, y0, x1, y1)."""
        (columns, rows), (x0, y0, x1, y1) = cells, box
        look = replace(style, angle=style.angle or 0.0)
        for k in range(columns * rows):
            if self.rng.random() >= style.fill:
                continue
            x = x0 + (k % columns + 0.5) * (x1 - x0) / columns
            y = y0 + (k // columns + 0.5) * (y1 - y0) / rows
            self.thing(category, (x, y), size * self.chance(0.9, 1.1), look)

    def road(
        self,
        *,
        angle: float | None = None,
        at: At = (0.5, 0.5),
        width: float = 0.05,
        rgb: Rgb = (92, 92, 98),
        bend: float = 0.02,
    ) -> None:
        """A paved road across the picture, as scenery."""
        turn = self.chance(0, np.pi) if angle is None else angle
        sprite = lane(self.rng, rgb, width=width / _ACROSS, bend=bend, dashes=(232, 232, 226))
        self.put(sprite, at, _ACROSS, turn)

    def plain(self, shape: Points, at: At, length: float, rgb: Rgb, *, angle: float = 0.0) -> None:
        """A flat figure as scenery."""
        self.put(Sprite(outline=(shape,), rgb=rgb), at, length, angle)

    def disc(self, at: At, size: float, rgb: Rgb) -> None:
        """A flat disc as scenery."""
        self.plain(ellipse(1, 1), at, size, rgb)

    def box(self, at: At, size: At, rgb: Rgb, *, angle: float = 0.0, shadow: float = 0.0) -> None:
        """A rectangle as scenery."""
        longest = max(size)
        shape = rectangle(size[0] / longest, size[1] / longest)
        self.put(Sprite(outline=(shape,), rgb=rgb, shadow=shadow), at, longest, angle)
