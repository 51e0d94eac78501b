"""Boxes are half-open everywhere: what a reader yields, what is filled, prompted and measured."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomag.data.benchmarks import Split, Task
from geomag.data.benchmarks.fields import box_of
from geomag.data.prompts import subject
from geomag.data.records import Record
from geomag.geometry import PixelBox, box_mask, box_of_mask

PRINTED = ("133", "237", "684", "672")
"""DIOR-RSVG's example in docs/protocols/roc.md, Boxes, in 800 x 800 pixels."""


def test_the_protocols_box_is_one_box_in_reader_prompt_and_mask():
    box = box_of(PRINTED, place="bndbox")
    assert box == PixelBox(133, 237, 684, 672)
    record = Record(
        benchmark="dior_rsvg",
        id="0",
        split=Split.TEST,
        task=Task.ROC,
        image="a.jpg",
        width=800,
        height=800,
        boxes=(box,),
    )
    assert subject(record) == "[0.17, 0.30, 0.86, 0.84]"
    mask = box_mask(box, height=800, width=800)
    assert mask.sum() == 551 * 435
    assert mask[237, 133]
    assert mask[671, 683]
    assert not mask[672, 683]
    assert not mask[671, 684]
    assert Record.from_json(record.to_json(), place="x") == record


def test_the_referring_protocols_corners_are_not_a_width_and_a_height():
    # docs/protocols/referring.md: bbox is x1, y1, x2, y2; the file's box of 45 x 31 pixels
    box = box_of([100, 50, 145, 81], place="bbox")
    assert (box.width, box.height) == (45, 31)
    assert box_mask(box, height=100, width=200).sum() == 45 * 31


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 12), st.integers(1, 12))
def test_the_box_of_a_filled_box_is_the_box(x0, y0, width, height):
    box = PixelBox(x0, y0, x0 + width, y0 + height)
    assert box_of_mask(box_mask(box, height=50, width=60)) == box


@pytest.mark.parametrize(
    ("corners", "rows", "columns"),
    [
        ((0.4, 0.6, 2.6, 2.4), [1], [0, 1, 2]),  # centres at 0.5, 1.5 and 2.5
        ((1.6, 1.6, 1.9, 1.9), [1], [1]),  # no centre inside: the pixel of its middle
        ((-5.0, -5.0, 1.0, 2.0), [0, 1], [0]),  # beyond the image
        ((9.0, 9.0, 12.0, 12.0), [], []),
    ],
)
def test_pixels_belong_by_their_centres(corners, rows, columns):
    mask = box_mask(PixelBox(*corners), height=4, width=5)
    assert np.flatnonzero(mask.any(1)).tolist() == rows
    assert np.flatnonzero(mask.any(0)).tolist() == columns
