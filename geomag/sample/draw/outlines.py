"""Plane figures in a sprite's frame (x right, y down, side 1): what all drawings are made of."""

import numpy as np

from geomag.sample.draw.canvas import Points


def rectangle(width: float, height: float, *, x: float = 0.0, y: float = 0.0) -> Points:
    """Axis-parallel rectangle around ``(x, y)``."""
    a, b = width / 2, height / 2
    return np.array([(x - a, y - b), (x + a, y - b), (x + a, y + b), (x - a, y + b)])


def ellipse(
    width: float, height: float, *, x: float = 0.0, y: float = 0.0, corners: int = 28
) -> Points:
    """Ellipse as a polygon; a disc if both sides are equal."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack([x + width / 2 * np.cos(turn), y + height / 2 * np.sin(turn)], axis=1)


def oval(width: float, height: float, *, x: float = 0.0, y: float = 0.0) -> Points:
    """A rectangle between two half discs, like a running track; ``width > height``."""
    radius, reach = height / 2, width / 2 - height / 2
    right = np.linspace(-np.pi / 2, np.pi / 2, 12)
    left = right + np.pi
    ends = [
        np.stack([x + s * reach + radius * np.cos(t), y + radius * np.sin(t)], axis=1)
        for s, t in ((1, right), (-1, left))
    ]
    return np.concatenate(ends)


def sector(radius: float, start: float, stop: float, *, x: float = 0.0, y: float = 0.0) -> Points:
    """Slice of a disc with its tip at ``(x, y)``; angles in degrees, clockwise from the right."""
    turn = np.radians(np.linspace(start, stop, 14))
    arc = np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], axis=1)
    return np.concatenate([np.array([(x, y)]), arc])


def blob(
    rng: np.random.Generator, width: float, height: float, *, rough: float = 0.18, corners: int = 16
) -> Points:
    """An irregular closed shape within ``width`` by ``height``."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = 0.5 * (1 - rough * rng.random(corners))
    return np.stack([width * reach * np.cos(turn), height * reach * np.sin(turn)], axis=1)


def band(centre: Points, width: float) -> Points:
    """A strip of constant width around an open line."""
    ahead = np.gradient(centre, axis=0)
    length = np.hypot(ahead[:, 0], ahead[:, 1])
    side = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) / length[:, None] * (width / 2)
    return np.concatenate([centre + side, (centre - side)[::-1]])


def polyline(*points: tuple[float, float]) -> Points:
    """Points as an array, for lines and free polygons."""
    return np.array(points, dtype=np.float64)
