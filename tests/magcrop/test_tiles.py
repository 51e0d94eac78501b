"""Tiles of large images cover them once, and their maps join in place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomag.magcrop.tiles import merge_tiles, tile_boxes, tile_grid


@given(width=st.integers(1, 400), height=st.integers(1, 400), tile_px=st.integers(20, 300))
def test_tiles_cover_each_pixel_once(width, height, tile_px):
    seen = np.zeros((height, width), int)
    boxes = tile_boxes(width, height, tile_px)
    for box in boxes:
        x0, y0, x1, y1 = box.as_ints()
        seen[y0:y1, x0:x1] += 1
    assert (seen == 1).all()
    rows, columns = tile_grid(width, height, tile_px)
    assert len(boxes) == rows * columns


def test_a_4k_frame_is_fifteen_tiles_of_820_by_720():
    boxes = tile_boxes(4096, 2160)
    assert len(boxes) == 15
    assert {(round(b.width, -1), b.height) for b in boxes} == {(820, 720)}


def test_maps_join_row_by_row():
    maps = [np.full((2, 3), float(i)) for i in range(6)]
    merged = merge_tiles(maps, rows=2, columns=3)
    assert merged.shape == (4, 9)
    assert merged[::2, ::3].tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match="6 maps for 2 x 2 tiles"):
        merge_tiles(maps, rows=2, columns=2)
