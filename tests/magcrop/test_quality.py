"""Crop recall and pointing rate by hand count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomag.geometry import PixelBox
from geomag.magcrop.quality import (
    box_recall,
    cell_cover,
    chance_of_pointing,
    crop_recall,
    heat_inside,
    hottest_cell,
    points_at,
)


def target(height: int = 8, width: int = 8) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[2:4, 3:6] = True
    return mask


@pytest.mark.parametrize(
    ("box", "recall"),
    [((3, 2, 6, 4), 1.0), ((0, 0, 5, 3), 2 / 6), ((0, 0, 3, 8), 0.0), ((5, 3, 8, 8), 1 / 6)],
)
def test_crop_recall_counts_pixels(box, recall):
    assert crop_recall(target(), PixelBox(*box)) == pytest.approx(recall)
    assert box_recall(PixelBox(3, 2, 6, 4), PixelBox(*box)) == pytest.approx(recall)


def test_a_target_without_area_is_not_missed():
    assert crop_recall(np.zeros((4, 4), bool), PixelBox(0, 0, 1, 1)) == 1.0


def test_the_hottest_cell_is_in_pixels_of_the_image():
    heat = np.zeros((2, 4))
    heat[1, 2] = 3.0
    assert hottest_cell(heat, width=10, height=6) == (5.0, 3.0, 7.5, 6.0)


@pytest.mark.parametrize(("cell", "hit"), [((1, 1), True), ((1, 2), True), ((0, 1), False)])
def test_pointing_asks_whether_the_hottest_cell_touches_the_target(cell, hit):
    heat = np.full((4, 4), 0.1)
    heat[cell] = 1.0
    assert points_at(heat, target()) is hit


def test_a_random_cell_points_at_two_of_sixteen():
    assert chance_of_pointing(target(), (4, 4)) == 2 / 16


def test_cells_finer_than_pixels_still_point():
    heat = np.zeros((16, 16))
    heat[5, 7] = 1.0  # within pixel row 2, column 3
    assert points_at(heat, target())


def test_heat_inside_weighs_cells_by_cover():
    heat = np.zeros((4, 4))
    heat[1, 1], heat[1, 2], heat[0, 0] = 2.0, 1.0, 1.0  # covers 2 of 4, and 4 of 4 pixels
    assert heat_inside(heat, target()) == pytest.approx((2.0 * 0.5 + 1.0) / 4.0)
    assert heat_inside(np.zeros((4, 4)), target()) == 0.0


@given(rows=st.integers(1, 9), columns=st.integers(1, 9), seed=st.integers(0, 99))
def test_cells_share_out_the_whole_area(rows, columns, seed):
    mask = np.random.default_rng(seed).random((7, 5)) < 0.4
    cover = cell_cover(mask, rows, columns)
    assert cover.sum() * (7 / rows) * (5 / columns) == pytest.approx(mask.sum())
    assert cover.min() >= -1e-9
    assert cover.max() <= 1 + 1e-9
