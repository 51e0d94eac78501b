"""RLE is checked before C code decodes it; resizing and polygons against independent rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pycocotools import mask as coco

from geomag.data.readers.masks import resized_nearest, rle_of
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
        with pytest.raises(AnnotationError, match=rf"runs of {height * width} pixels"):
            rle_of({"size": list(other), "counts": rle["counts"]}, place="x")


def test_the_shortened_rle_that_pycocotools_decodes_is_refused():
    short = {"size": [4, 5], "counts": "522000"}
    assert coco.decode({**short, "counts": b"522000"}).shape == (4, 5), "no complaint there"
    with pytest.raises(AnnotationError, match="runs of 15 pixels"):
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
    # Pixel protocol 4.3: from 5 to 3 samples Pillow takes the sources 0, 2 and 4.
    for source, target in ((0, 0), (2, 1), (4, 2)):
        mask = np.zeros((1, 5), bool)
        mask[0, source] = True
        resized = decode_mask(resized_nearest(encode_mask(mask), width=3, height=1))
        assert np.flatnonzero(resized).tolist() == [target]
