"""Boxes over an image, and the views that the model reads, by hand."""

import numpy as np

from geomag.ask.pictures import views_picture, with_boxes
from geomag.geometry import PixelBox
from geomag.magcrop.views import ImageView
from geomag.model.model_input import ModelInput


def test_boxes_are_half_open():
    image = np.zeros((10, 10, 3), dtype=np.uint8)
    shown = with_boxes(image, (PixelBox(1, 2, 8, 9), PixelBox(3, 4, 6, 7)))
    assert shown[2, 1].tolist() == shown[8, 7].tolist() == [255, 210, 0]
    assert shown[4, 3].tolist() == shown[6, 5].tolist() == [0, 190, 255]
    assert not shown[9].any()
    assert not shown[:, 8:].any()


def test_views_are_shown_as_they_are_cut_one_beside_the_other():
    image = np.zeros((8, 8, 3), dtype=np.uint8)
    image[4:, 4:] = 200
    views = (ImageView(None, 8), ImageView(PixelBox(4, 4, 8, 8), 4))
    shown = views_picture(ModelInput(image, views, image, None), 4, [])
    assert shown.shape[1] == 336 + 8 + 336
    assert shown[10, 10].tolist() == [0, 0, 0]
    assert shown[300, 300].tolist() == [200, 200, 200]  # the lower right quarter of the whole
    assert shown[10, 360].tolist() == shown[300, 660].tolist() == [200, 200, 200]  # all of C_1
    assert shown[10, 340].tolist() == [255, 255, 255]  # paper between them
