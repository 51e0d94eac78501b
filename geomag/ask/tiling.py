"""Windows that cover a scene: alike in size, overlapping, the last ones moved back inside."""

from itertools import pairwise

from geomag.errors import GeoMagError
from geomag.geometry import PixelBox

MIN_TILE_PX = 16


def scene_windows(width: int, height: int, *, tile_px: int, overlap_px: int) -> list[PixelBox]:
    """Windows row by row; a scene of at most two tiles a side is one window.

    An object no larger than ``overlap_px`` lies whole in at least one window. Without overlap no
    pixel lies in two windows: the scene is split into equal ones of at most ``tile_px`` a side.

    Raises:
        GeoMagError: If the tile or the overlap is out of range.

    >>> [box.x0 for box in scene_windows(2500, 900, tile_px=1000, overlap_px=200)]
    [0, 800, 1500]
    >>> [box.x0 for box in scene_windows(2500, 900, tile_px=1000, overlap_px=0)]
    [0, 833, 1667]
    """
    if tile_px < MIN_TILE_PX:
        raise GeoMagError("--tile", str(tile_px), f"at least {MIN_TILE_PX} pixels")
    if not 0 <= overlap_px <= tile_px // 2:
        raise GeoMagError(
            "--overlap", str(overlap_px), f"0 to {tile_px // 2} pixels, half of --tile {tile_px}"
        )
    if max(width, height) <= 2 * tile_px:
        return [PixelBox(0, 0, width, height)]
    if overlap_px == 0:
        rows, columns = _split(height, tile_px), _split(width, tile_px)
        return [PixelBox(x0, y0, x1, y1) for y0, y1 in rows for x0, x1 in columns]
    step = tile_px - overlap_px
    return [
        PixelBox(x, y, min(x + tile_px, width), min(y + tile_px, height))
        for y in _starts(height, tile_px, step)
        for x in _starts(width, tile_px, step)
    ]


def _starts(size: int, tile_px: int, step: int) -> list[int]:
    last = max(0, size - tile_px)
    return [*range(0, last, step), last]


def _split(size: int, tile_px: int) -> list[tuple[int, int]]:
    n = -(-size // tile_px)
    ends = [round(size * i / n) for i in range(n + 1)]
    return list(pairwise(ends))
