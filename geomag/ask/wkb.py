"""Polygons as ISO well-known binary, little-endian, two dimensions."""

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LITTLE, _POLYGON = 1, 3


def polygon_wkb(rings: Sequence[NDArray[np.float64]]) -> bytes:
    """A polygon of closed rings ``[n, 2]``, the exterior first.

    >>> len(polygon_wkb([np.zeros((4, 2))]))
    77
    """
    parts = [struct.pack("<BII", _LITTLE, _POLYGON, len(rings))]
    for ring in rings:
        parts += [struct.pack("<I", len(ring)), np.ascontiguousarray(ring, dtype="<f8").tobytes()]
    return b"".join(parts)
