"""Windows cover the scene, overlap as asked, and stay inside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomag.ask.tiling import scene_windows
from geomag.errors import GeoMagError


@given(st.integers(1, 400), st.integers(1, 400), st.integers(16, 120), st.data())
def test_windows_cover_every_pixel_and_stay_inside(width, height, tile, data):
    overlap = data.draw(st.integers(0, tile // 2))
    seen = np.zeros((height, width), dtype=int)
    for box in scene_windows(width, height, tile_px=tile, overlap_px=overlap):
        x0, y0, x1, y1 = box.as_ints()
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        assert max(x1 - x0, y1 - y0) <= 2 * tile
        seen[y0:y1, x0:x1] += 1
    assert seen.min() >= 1


@given(st.integers(260, 600), st.integers(1, 40), st.integers(0, 560))
def test_an_object_of_the_overlaps_size_lies_whole_in_one_window(width, side, x):
    x = min(x, width - side)
    boxes = scene_windows(width, 100, tile_px=128, overlap_px=40)
    assert any(box.x0 <= x and x + side <= box.x1 for box in boxes)


def test_f10_a_scene_of_two_tiles_a_side_is_one_window():
    assert len(scene_windows(200, 200, tile_px=100, overlap_px=10)) == 1
    assert len(scene_windows(201, 200, tile_px=100, overlap_px=10)) > 1


@pytest.mark.parametrize(
    ("tile", "overlap", "message"),
    [
        (0, 0, "--tile: 0. Wanted: at least 16 pixels"),
        (100, 120, "--overlap: 120. Wanted: 0 to 50 pixels"),
        (100, -1, "0 to 50 pixels"),
    ],
)
def test_f10_impossible_tiles_are_refused_with_the_range(tile, overlap, message):
    with pytest.raises(GeoMagError, match=message):
        scene_windows(1000, 1000, tile_px=tile, overlap_px=overlap)
