"""Windows around a coarse mask, and which window an arm settles on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomag.geometry import PixelBox
from geomag.magcrop.mask_window import mask_window


def mask_of(y0: int, y1: int, x0: int, x1: int, side: int = 200) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_the_window_is_a_square_with_room_around_the_mask():
    window = mask_window(mask_of(90, 110, 80, 120), context=1.0, min_px=10)
    assert window.box == PixelBox(60, 60, 140, 140)  # 40 px long side, twice that
    assert (window.score, window.share, window.is_doubtful) == (1.0, 1.0, False)


def test_a_speck_gets_the_least_side():
    window = mask_window(mask_of(0, 2, 198, 200), min_px=64)
    assert window.box == PixelBox(136, 0, 200, 64)


def test_an_empty_mask_gives_no_window_and_a_large_one_a_doubtful_one():
    assert mask_window(np.zeros((50, 50), bool)) is None
    assert mask_window(mask_of(20, 180, 20, 180)).is_doubtful


def test_a_scattered_mask_has_a_low_density():
    mask = mask_of(50, 60, 50, 51) | mask_of(59, 60, 50, 60)
    assert mask_window(mask).score == pytest.approx(19 / 100)


@given(st.data())
def test_the_window_holds_the_mask(data):
    h, w = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 90))
    y0, x0 = data.draw(st.integers(0, h - 1)), data.draw(st.integers(0, w - 1))
    y1, x1 = data.draw(st.integers(y0 + 1, h)), data.draw(st.integers(x0 + 1, w))
    mask = np.zeros((h, w), bool)
    mask[y0:y1, x0:x1] = True
    window = mask_window(mask, min_px=16)
    whole = PixelBox(0, 0, w, h)
    assert whole.contains(window.box)
    long_side = max(y1 - y0, x1 - x0)
    if long_side <= min(h, w):
        assert window.share == 1.0
        assert window.box.contains(PixelBox(x0, y0, x1, y1))


def test_specks_beside_the_largest_piece_do_not_stretch_the_window():
    mask = mask_of(90, 110, 80, 120) | mask_of(0, 3, 0, 3)
    window = mask_window(mask, context=1.0, min_px=10)
    assert window.box == PixelBox(60, 60, 140, 140)
    assert window.share == 800 / 809
