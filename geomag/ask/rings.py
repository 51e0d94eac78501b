"""Closed rings ``[n, 2]`` of polygons: areas, turning sense, bounds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float64]
"""``[n, 2]``, closed: the last point is the first."""


def polygon_area(rings: Sequence[Ring]) -> float:
    """Area of a polygon in its own units: the exterior less the holes.

    >>> square = np.array([[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]], dtype=float)
    >>> polygon_area([square, square[::-1] / 2 + 1])
    12.0
    """
    first, *holes = [abs(signed_area(ring)) for ring in rings]
    return first - sum(holes)


def signed_area(ring: Ring) -> float:
    """Area of one ring, positive when it runs counterclockwise (y upward)."""
    x, y = (ring - ring[0]).T  # near the origin: coordinates of millions would cost digits
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


def oriented(ring: Ring, *, is_hole: bool) -> Ring:
    """The ring counterclockwise, or clockwise for a hole, as RFC 7946 and GeoParquet want it."""
    is_clockwise = signed_area(ring) < 0
    return ring[::-1] if is_clockwise != is_hole else ring


def ring_bounds(ring: Ring) -> tuple[float, float, float, float]:
    """``(x0, y0, x1, y1)`` of one ring."""
    (x0, y0), (x1, y1) = ring.min(axis=0).tolist(), ring.max(axis=0).tolist()
    return x0, y0, x1, y1
