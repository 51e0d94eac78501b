"""Large images: one heatmap per tile, merged into one map (protocols/model#window)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geomag.geometry import PixelBox


def tile_grid(width: int, height: int, tile_px: int = 1024) -> tuple[int, int]:
    """``(rows, columns)`` of tiles: rows of at most ``tile_px``, columns nearly square.

    The reference gives no column to very tall images; here there is at least one.

    >>> tile_grid(4096, 2160), tile_grid(100, 5000)
    ((3, 5), (5, 1))
    """
    rows = math.ceil(height / tile_px)
    return rows, max(rows * width // height, 1)


def tile_boxes(width: int, height: int, tile_px: int = 1024) -> list[PixelBox]:
    """The tiles row by row: whole pixels, no overlap, no gap, sides alike to a pixel."""
    rows, columns = tile_grid(width, height, tile_px)
    ys = [round(i * height / rows) for i in range(rows + 1)]
    xs = [round(i * width / columns) for i in range(columns + 1)]
    return [
        PixelBox(float(xs[c]), float(ys[r]), float(xs[c + 1]), float(ys[r + 1]))
        for r in range(rows)
        for c in range(columns)
    ]


def merge_tiles(
    heatmaps: Sequence[NDArray[np.floating]], *, rows: int, columns: int
) -> NDArray[np.floating]:
    """Maps ``[gh, gw]`` of the tiles, row by row, as one map ``[rows * gh, columns * gw]``."""
    if len(heatmaps) != rows * columns:
        raise ValueError(f"{len(heatmaps)} maps for {rows} x {columns} tiles")
    merged: NDArray[np.floating] = np.block(
        [[heatmaps[r * columns + c] for c in range(columns)] for r in range(rows)]
    )
    return merged
