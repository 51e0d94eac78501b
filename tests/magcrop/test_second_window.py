"""The second crop lies inside the first, in the image's own pixels."""

import numpy as np
import pytest

from geomag.geometry import PixelBox
from geomag.magcrop.second_window import nested_box, second_window
from geomag.magcrop.window import WindowRule


def test_the_second_crop_is_mapped_back_and_must_be_smaller():
    outer = PixelBox(100, 50, 200, 150)
    assert nested_box(outer, PixelBox(10, 20, 40, 60)) == PixelBox(110, 70, 140, 110)
    assert nested_box(outer, PixelBox(0, 0, 100, 100)) is None
    with pytest.raises(ValueError, match="leaves the crop"):
        nested_box(outer, PixelBox(50, 0, 120, 60))


def test_the_second_window_is_found_in_the_crop_and_told_in_the_image():
    heat = np.zeros((8, 8))
    heat[2, 5] = 1.0  # cell of 10 px: x 50-60, y 20-30 of the crop
    outer = PixelBox(100, 50, 180, 130)
    window = second_window(outer, heat, WindowRule(sizes=(1 / 8,), min_px=1))
    assert window.box == PixelBox(150, 70, 160, 80)
    assert window.share == 1.0


def test_a_doubtful_or_full_second_window_is_none():
    outer = PixelBox(0, 0, 80, 80)
    assert second_window(outer, np.zeros((8, 8)), WindowRule()) is None
    flat = np.ones((8, 8))
    assert second_window(outer, flat, WindowRule(min_px=1, gate=0.9)) is None
    assert second_window(outer, flat, WindowRule(min_px=80)) is None
