"""RLE is checked before C code decodes it; resizing and polygons against independent rules."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pycocotools import mask as coco

from geomag.data.benchmarks.masks import (
    coco_polygon_rle,
    fill_polygons,
    resized_nearest,
    rle_of,
)
from geomag.errors import AnnotationError
from geomag.geometry import decode_mask, encode_mask

MASKS = hnp.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40)))


@given(mask=MASKS)
def test_every_encoded_mask_is_accepted_and_decodes_to_itself(mask):
    rle = encode_mask(mask)
    assert rle_of(dict(rle), place="x") == rle
    assert np.array_equal(decode_mask(rle_of(dict(rle), place="x")), mask)


@given(mask=MASKS, data=st.data())
def test_a_mask_of_another_number_of_pixels_is_refused(mask, data):
    rle = encode_mask(mask)
    height, width = mask.shape
    other = data.draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    if other[0] * other[1] != height * width:
        with pytest.raises(
            AnnotationError, match=rf"runs cover {height * width} pixels|longer than the image"
        ):
            rle_of({"size": list(other), "counts": rle["counts"]}, place="x")


def test_the_shortened_rle_that_pycocotools_decodes_is_refused():
    short = {"size": [4, 5], "counts": "522000"}
    assert coco.decode({**short, "counts": b"522000"}).shape == (4, 5), "no complaint there"
    with pytest.raises(AnnotationError, match="runs cover 15 pixels"):
        rle_of(short, place="x")


@pytest.mark.parametrize(
    "size", [[4], [4, 5, 1], [4, -5], [4, 5.0], [True, 20], ["4", "5"], [0, 20], [10**5, 10**5]]
)
def test_a_wrong_size_is_refused(size):
    with pytest.raises(AnnotationError, match="x, size: "):
        rle_of({"size": size, "counts": "5220003"}, place="x")


@given(mask=MASKS, width=st.integers(1, 50), height=st.integers(1, 50))
def test_resizing_is_pillows_nearest_neighbour(mask, width, height):
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    wanted = np.asarray(picture.resize((width, height), Image.Resampling.NEAREST)) > 0
    assert np.array_equal(
        decode_mask(resized_nearest(encode_mask(mask), width=width, height=height)), wanted
    )


def test_the_resizing_example_of_the_protocol():
    # protocols/referring#resolution: from 5 to 3 samples Pillow takes the sources 0, 2 and 4.
    for source, target in ((0, 0), (2, 1), (4, 2)):
        mask = np.zeros((1, 5), bool)
        mask[0, source] = True
        resized = decode_mask(resized_nearest(encode_mask(mask), width=3, height=1))
        assert np.flatnonzero(resized).tolist() == [target]


def test_nearest_neighbour_is_not_one_thing():
    samples = np.arange(5, dtype=np.uint8)[None]
    assert cv2.resize(samples, (3, 1), interpolation=cv2.INTER_NEAREST).tolist() == [[0, 1, 3]]
    exact = cv2.resize(samples, (3, 1), interpolation=cv2.INTER_NEAREST_EXACT)
    assert exact.tolist() == [[0, 2, 4]]


def test_a_square_of_polygon_corners_has_16_pixels_or_9():
    square = [(2, 2), (5, 2), (5, 5), (2, 5)]
    assert fill_polygons([square], width=8, height=8).sum() == 16  # OpenCV: the border is inside
    flat = [float(value) for point in square for value in point]
    assert decode_mask(coco_polygon_rle([flat], width=8, height=8)).sum() == 9
