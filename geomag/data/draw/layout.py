"""Moves that place recipes share: grounds in parts, bands, rows and scatters of sprites."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geomag.data.draw.canvas import Canvas, Points, Sprite, tint
from geomag.data.draw.categories import CATEGORIES
from geomag.data.draw.outlines import band, blob, ellipse, rectangle
from geomag.data.draw.palette import Rgb, shade
from geomag.data.draw.sprites import lane


@dataclass(slots=True)
class Place:
    """A canvas under way, with coordinates as shares of its sides."""

    rng: np.random.Generator
    canvas: Canvas

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

    def _pixels(self, points: Points) -> NDArray[np.int32]:
        size = (self.canvas.width, self.canvas.height)
        return np.rint(points * size).astype(np.int32)

    def spread(self, kind: str, *shapes: Points) -> None:
        """Lay a ground inside shapes given in shares of the picture."""
        self.canvas.spread(self.rng, kind, [self._pixels(s) for s in shapes])

    def pond(self, kind: str, x: float, y: float, width: float, height: float) -> None:
        """An irregular patch of a ground."""
        self.spread(kind, blob(self.rng, width, height) + np.array([x, y]))

    def strip(self, kind: str, width: float, *, angle: float | None = None, at: float = 0.5, bend: float = 0.0) -> None:  # noqa: E501  # fmt: skip
        """A band of ground from border to border; ``at`` shifts it sideways."""
        turn = self.chance(0, np.pi) if angle is None else angle
        x = np.linspace(-0.9, 0.9, 25)
        y = at - 0.5 + bend * np.sin(x * 5 + self.chance(0, 6))
        cos, sin = np.cos(turn), np.sin(turn)
        line = np.stack([0.5 + x * cos - y * sin, 0.5 + x * sin + y * cos], axis=1)
        self.spread(kind, band(line, width))

    def put(self, sprite: Sprite, x: float, y: float, length: float, angle: float = 0.0, *, category: str = "", colour: str = "") -> bool:  # noqa: E501  # fmt: skip
        """Stamp a sprite unless it would touch an object; tells whether it did."""
        spot = self.canvas.footprint(
            sprite,
            x=x * self.canvas.width,
            y=y * self.canvas.height,
            length=length * self.side,
            angle=angle,
        )
        if spot is None or (category and self.canvas.covered(spot)):
            return False
        self.canvas.stamp(spot, category=category, colour=colour)
        return True

    def thing(self, category: str, x: float, y: float, length: float, angle: float | None = None, *, colours: Sequence[str] = ()) -> bool:  # noqa: E501  # fmt: skip
        """Put an object of a known class."""
        model = CATEGORIES[category]
        words = tuple(colours) or model.colours
        colour = words[int(self.rng.integers(len(words)))] if words else ""
        rgb = shade(self.rng, colour) if colour else tint(self.rng, model.rgb)
        turn = self.chance(0, 2 * np.pi) if angle is None else angle
        return self.put(
            model.draw(self.rng, rgb), x, y, length, turn, category=category, colour=colour
        )

    def scatter(self, category: str, low: int, high: int, size: tuple[float, float], *, colours: Sequence[str] = (), angle: float | None = None) -> int:  # noqa: E501  # fmt: skip
        """Objects at random; returns how many found room."""
        placed = 0
        for _ in range(self.count(low, high)):
            x, y = self.rng.uniform(0.08, 0.92, 2)
            placed += self.thing(
                category, float(x), float(y), self.chance(*size), angle, colours=colours
            )
        return placed

    def grid(self, category: str, columns: int, rows: int, size: float, *, box: tuple[float, float, float, float] = (0.05, 0.05, 0.95, 0.95), fill: float = 1.0, angle: float = 0.0, colours: Sequence[str] = ()) -> None:  # noqa: E501  # fmt: skip
        """Objects in rows, each cell taken with chance ``fill``."""
        x0, y0, x1, y1 = box
        for row in range(rows):
            for column in range(columns):
                if self.rng.random() >= fill:
                    continue
                x = x0 + (column + 0.5) * (x1 - x0) / columns
                y = y0 + (row + 0.5) * (y1 - y0) / rows
                self.thing(category, x, y, size * self.chance(0.9, 1.1), angle, colours=colours)

    def road(self, *, angle: float | None = None, x: float = 0.5, y: float = 0.5, width: float = 0.05, rgb: Rgb = (92, 92, 98)) -> None:  # noqa: E501  # fmt: skip
        """A paved road across the picture, as scenery."""
        turn = self.chance(0, np.pi) if angle is None else angle
        sprite = lane(self.rng, rgb, width=width / 2.2, dashes=(232, 232, 226))
        self.put(sprite, x, y, 2.2, turn)

    def plain(self, shape: Points, x: float, y: float, length: float, rgb: Rgb, angle: float = 0.0, *, shadow: float = 0.0) -> None:  # noqa: E501  # fmt: skip
        """A flat figure as scenery."""
        self.put(Sprite(outline=(shape,), rgb=rgb, shadow=shadow), x, y, length, angle)

    def disc(self, x: float, y: float, size: float, rgb: Rgb) -> None:
        """A flat disc as scenery."""
        self.plain(ellipse(1, 1), x, y, size, rgb)

    def box(self, x: float, y: float, width: float, height: float, rgb: Rgb, angle: float = 0.0, *, shadow: float = 0.0) -> None:  # noqa: E501  # fmt: skip
        """A flat rectangle as scenery."""
        longest = max(width, height)
        shape = rectangle(width / longest, height / longest)
        self.plain(shape, x, y, longest, rgb, angle, shadow=shadow)
