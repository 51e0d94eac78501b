"""Heat and boxes over an image, by hand."""

import numpy as np

from geomag.ask.pictures import overlay, with_boxes
from geomag.geometry import PixelBox


def test_the_hottest_cell_is_brightest_and_a_cold_one_shows_the_image():
    image = np.full((4, 6, 3), 100, dtype=np.uint8)
    shown = overlay(image, np.array([[0.0, 0.0, 8.0], [0.0, 4.0, 0.0]], dtype=np.float32))
    assert shown[0, 0].tolist() == [100, 100, 100]
    # three quarters of the ramp's last stop (252, 255, 164), a quarter of the image
    assert shown[:2, 4:].reshape(-1, 3).tolist() == [[214, 216, 148]] * 4
    # half the heat: the middle stop (188, 55, 84) at 0.375
    assert shown[3, 2].tolist() == [133, 83, 94]


def test_a_map_without_heat_leaves_the_image():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(overlay(image, np.zeros((2, 2), dtype=np.float32)), image)


def test_boxes_are_half_open():
    image = np.zeros((10, 10, 3), dtype=np.uint8)
    shown = with_boxes(image, (PixelBox(1, 2, 8, 9), PixelBox(3, 4, 6, 7)))
    assert shown[2, 1].tolist() == shown[8, 7].tolist() == [255, 210, 0]
    assert shown[4, 3].tolist() == shown[6, 5].tolist() == [0, 190, 255]
    assert not shown[9].any()
    assert not shown[:, 8:].any()
