"""Windows drawn around training targets: they hold the target, in C_1 and in C_2."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomag.data.benchmarks import Granularity, Split, Task
from geomag.data.records import Record
from geomag.geometry import PixelBox, encode_mask
from geomag.seeds import generator
from geomag.train.windows import drawn_windows

WIDTH, HEIGHT = 320, 256


def record(task: Task, **target) -> Record:
    facts = {"benchmark": "any", "id": "1", "split": Split.TRAIN, "image": "1.png"}
    return Record(task=task, width=WIDTH, height=HEIGHT, **facts, **target)


def referring(box: tuple[int, int, int, int]) -> Record:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return record(Task.REFERRING, masks=(encode_mask(mask),))


@given(
    st.integers(0, WIDTH - 60),
    st.integers(0, HEIGHT - 60),
    st.integers(4, 60),
    st.integers(4, 60),
    st.integers(0, 10**6),
)
def test_every_window_holds_the_target_inside_the_image(x, y, width, height, seed):
    one = referring((x, y, x + width, y + height))
    boxes = drawn_windows(one, Granularity.PIXEL, generator(seed), min_px=48)
    target = PixelBox(x, y, x + width, y + height)
    if len(boxes) == 1 and apart(boxes[0], target):
        target = boxes[0]  # one that misses on purpose
    for outer, inner in zip(boxes, [*boxes, target][1:], strict=True):
        assert outer.contains(inner)
    for box in boxes:
        assert PixelBox(0, 0, WIDTH, HEIGHT).contains(box)
        assert box.as_ints() == (box.x0, box.y0, box.x1, box.y1)
        assert 48 <= max(box.width, box.height) <= 2 / 3 * HEIGHT + 2


def apart(a: PixelBox, b: PixelBox) -> bool:
    return a.x1 <= b.x0 or a.x0 >= b.x1 or a.y1 <= b.y0 or a.y0 >= b.y1


def test_a_quarter_of_the_pixel_level_windows_hold_nothing_of_the_target():
    one = referring((100, 100, 116, 116))
    target = PixelBox(100, 100, 116, 116)
    for level, share in ((Granularity.PIXEL, 0.25), (Granularity.REGION, 0.0)):
        drawn = [drawn_windows(one, level, generator(n), min_px=32) for n in range(400)]
        missed = [boxes for boxes in drawn if apart(boxes[-1], target)]
        assert len(missed) / len(drawn) == pytest.approx(share, abs=0.07)
        assert all(len(boxes) == 1 for boxes in missed)


def test_a_region_has_one_window_and_pixels_sometimes_two():
    one = referring((100, 100, 116, 116))
    regions = [drawn_windows(one, Granularity.REGION, generator(n), min_px=32) for n in range(40)]
    assert {len(boxes) for boxes in regions} == {1}
    pixels = [drawn_windows(one, Granularity.PIXEL, generator(n), min_px=32) for n in range(40)]
    assert {len(boxes) for boxes in pixels} == {1, 2}
    two = next(boxes for boxes in pixels if len(boxes) == 2)
    assert abs(two[0].width - 2 * two[1].width) <= 3


def test_what_fills_the_image_or_asks_for_nothing_has_no_window():
    assert (
        drawn_windows(referring((0, 0, 300, 240)), Granularity.PIXEL, generator(1), min_px=32) == ()
    )
    asked = record(Task.VQA)
    assert drawn_windows(asked, Granularity.REGION, generator(1), min_px=32) == ()
