"""Closed rings ``[n, 2]`` of polygons: areas, turning sense, bounds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float64]
"""``[n, 2]``, closed: the last point is the first."""


_HALVINGS = 4
_MOST_EDGES = 5_000
"""Edges that are compared with each other; a polygon of more is left as it is."""


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


def simplified(rings: Sequence[Ring], tolerance: float) -> list[Ring]:
    """A polygon of fewer corners, none moved and no edge further than ``tolerance`` from its own.

    After Douglas and Peucker (1973), ring by ring. Where edges would cross, or a ring would
    collapse, the tolerance is halved, and after a few halvings the polygon stays as it is.

    >>> stairs = np.array([[0, 0], [0, 4], [1, 4], [1, 5], [9, 5], [9, 0], [0, 0]], dtype=float)
    >>> simplified([stairs], 1.0)[0].tolist()
    [[0.0, 0.0], [1.0, 5.0], [9.0, 5.0], [9.0, 0.0], [0.0, 0.0]]
    """
    for _ in range(_HALVINGS):
        fewer = [_simplified_ring(ring, tolerance) for ring in rings]
        if all(len(ring) >= 4 and signed_area(ring) for ring in fewer) and not _crosses(fewer):
            return fewer
        tolerance /= 2
    return list(rings)


def _simplified_ring(ring: Ring, tolerance: float) -> Ring:
    """The ring simplified in two halves: from its first point to the farthest one, and back."""
    far = int(np.hypot(*(ring - ring[0]).T).argmax())
    kept = np.zeros(len(ring), dtype=bool)
    kept[[0, far, -1]] = True
    parts = [(0, far), (far, len(ring) - 1)]
    while parts:
        first, last = parts.pop()
        if last - first < 2:
            continue
        (x0, y0), (x1, y1) = ring[first], ring[last]
        dx, dy = x1 - x0, y1 - y0
        inner = ring[first + 1 : last] - (x0, y0)
        along = np.clip((inner @ (dx, dy)) / (dx * dx + dy * dy or 1.0), 0, 1)
        away = np.hypot(*(inner - along[:, None] * (dx, dy)).T)
        middle = first + 1 + int(away.argmax())
        if away.max() > tolerance:
            kept[middle] = True
            parts += [(first, middle), (middle, last)]
    return ring[kept]


def _crosses(rings: Sequence[Ring]) -> bool:
    """Whether any two edges of a polygon cross; edges that only meet do not."""
    edges = np.concatenate([np.stack([ring[:-1], ring[1:]], axis=1) for ring in rings])
    if len(edges) > _MOST_EDGES:
        return True
    for i, (start, end) in enumerate(edges[:-1]):
        others = edges[i + 1 :]
        near = (others.min(axis=1) <= np.maximum(start, end)).all(axis=1)
        near &= (others.max(axis=1) >= np.minimum(start, end)).all(axis=1)
        others = others[near]
        side = _turn(start, end, others[:, 0]) * _turn(start, end, others[:, 1])
        back = _turn(others[:, 0], others[:, 1], start) * _turn(others[:, 0], others[:, 1], end)
        if ((side < 0) & (back < 0)).any():
            return True
    return False


def _turn(a: Ring, b: Ring, c: Ring) -> NDArray[np.float64]:
    """Sign of the turn from a to b to c."""
    u, v = b - a, c - a
    turn: NDArray[np.float64] = np.sign(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0])
    return turn
