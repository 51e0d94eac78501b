"""Windows: golden boxes (protocols/model#golden-boxes), reference loops, sanity figures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geomag.config.schema import MagCropConfig
from geomag.geometry import PixelBox
from geomag.magcrop.window import (
    WindowRule,
    build_window_rule,
    grow_box,
    select_window,
    window_sums,
)
from tests.magcrop.naive import loop_sums, loop_vicrop

GOLDEN = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 2, 1, 0, 0],
        [0, 2, 9, 8, 1, 0],
        [0, 1, 7, 6, 1, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 1],
    ],
    dtype=np.float32,
)
VICROP = WindowRule(name="vicrop", base_px=200)

counts = arrays(
    np.int64, st.tuples(st.integers(2, 9), st.integers(2, 9)), elements=st.integers(0, 9)
)


def paper(**settings: object) -> WindowRule:
    return WindowRule(**{"gamma": 0.0, "delta": "cell", "min_px": 1, **settings})


def test_the_golden_box_of_a_square_image():
    window = select_window(GOLDEN, width=600, height=600, rule=VICROP)
    assert window.box == PixelBox(200, 200, 400, 400)
    assert window.score == pytest.approx(12.5 / 4)
    assert window.share == pytest.approx(30 / 42)


def test_the_golden_box_of_a_wide_image():
    window = select_window(GOLDEN, width=600, height=400, rule=VICROP)
    assert window.box == PixelBox(200, 66, 400, 266)
    assert window.score == pytest.approx(10.25 / 6)


@given(
    heat=counts,
    width=st.integers(40, 700),
    height=st.integers(40, 700),
    base=st.integers(80, 300),
)
@settings(max_examples=150, deadline=None)
def test_the_vicrop_rule_equals_the_reference_loops(heat, width, height, base):
    if heat.sum() == 0 or base < max(width / heat.shape[1], height / heat.shape[0]):
        return  # the reference divides by a window of no cells
    ours = select_window(
        heat, width=width, height=height, rule=WindowRule(name="vicrop", base_px=base)
    )
    assert ours.box.as_ints() == loop_vicrop(heat, width, height, base)


@given(heat=counts, data=st.data())
def test_the_integral_image_equals_slicing(heat, data):
    nh = data.draw(st.integers(1, heat.shape[0]))
    nw = data.draw(st.integers(1, heat.shape[1]))
    assert window_sums(heat, nw, nh).tolist() == loop_sums(heat, nw, nh).tolist()


def test_the_paper_rule_on_a_hand_count():
    # 2x2 cells at (2, 2): 30 - mean(19, 16, 20, 15) = 12.5; 3x3 at (1, 1): 37 - 28.75 = 8.25
    window = select_window(GOLDEN, width=600, height=600, rule=paper(sizes=(1 / 3, 1 / 2)))
    assert window.box == PixelBox(200, 200, 400, 400)
    assert window.score == pytest.approx(12.5)


@pytest.mark.parametrize(("size", "score"), [(1 / 3, 12.5 / 4), (1 / 2, 8.25 / 9), (2 / 3, 3 / 16)])
def test_each_size_of_the_golden_map_has_its_contrast_by_area(size, score):
    rule = paper(sizes=(size,), gamma=1.0)
    assert select_window(GOLDEN, width=600, height=600, rule=rule).score == pytest.approx(score)


def test_half_window_neighbours_and_area_normalisation_on_a_hand_count():
    # 4x4 at (1, 1) holds 41; half a window (2 cells) left or up does not fit; right and down
    # would start at 3 > 2: no neighbours. 3x3 moves by 1: 8.25 / 9**0.5 = 2.75; 2x2: 12.5 / 2
    rule = paper(sizes=(1 / 3, 1 / 2, 2 / 3), gamma=0.5, delta="half")
    assert select_window(GOLDEN, width=600, height=600, rule=rule).score == pytest.approx(6.25)
    only_3x3 = paper(sizes=(1 / 2,), gamma=0.5, delta="half")
    window = select_window(GOLDEN, width=600, height=600, rule=only_3x3)
    assert window.score == pytest.approx(2.75)
    assert window.box == PixelBox(100, 100, 400, 400)


def test_aspects_add_tall_and_wide_windows():
    bar = np.zeros((12, 12))
    bar[3:9, 5:8] = 1.0
    rule = paper(sizes=(0.35,), aspects=(1.0, 0.5, 2.0))
    box = select_window(bar, width=1200, height=1200, rule=rule).box
    assert (box.width, box.height) == (300, 600)
    assert box == PixelBox(500, 300, 800, 900)


@given(
    heat=counts,
    width=st.integers(1, 500),
    height=st.integers(1, 500),
    gamma=st.sampled_from([0.0, 0.5, 1.0]),
    margin=st.sampled_from([0.0, 0.25]),
    min_px=st.integers(1, 120),
    name=st.sampled_from(["paper", "vicrop"]),
)
@settings(max_examples=200, deadline=None)
def test_a_box_lies_on_pixels_inside_the_image(heat, width, height, gamma, margin, min_px, name):
    rule = WindowRule(name=name, gamma=gamma, margin=margin, min_px=min_px, base_px=100)
    window = select_window(heat, width=width, height=height, rule=rule)
    x0, y0, x1, y1 = window.box.as_ints()
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    assert 0 <= window.share <= 1
    if name == "paper":
        assert x1 - x0 >= min(min_px, width)
        assert y1 - y0 >= min(min_px, height)


@given(heat=counts)
def test_the_choice_does_not_depend_on_the_scale_of_the_map(heat):
    a = select_window(heat, width=300, height=300, rule=paper())
    b = select_window(heat * 1024.0, width=300, height=300, rule=paper())
    assert a.box == b.box


def test_a_map_without_heat_leaves_the_image_whole():
    window = select_window(np.zeros((6, 6)), width=300, height=200)
    assert window.box == PixelBox(0, 0, 300, 200)
    assert window.is_doubtful


def test_the_gate_doubts_a_window_with_little_of_the_heat():
    spread = np.ones((24, 24))
    spread[3, 3] = 2.0
    for gate, doubtful in ((0.0, False), (0.02, False), (0.9, True)):
        window = select_window(spread, width=480, height=480, rule=paper(gate=gate))
        assert window.is_doubtful is doubtful


def test_an_image_no_larger_than_the_reference_window_stays_whole():
    window = select_window(GOLDEN, width=256, height=256, rule=WindowRule(name="vicrop"))
    assert window.box == PixelBox(0, 0, 256, 256)


def test_a_side_beyond_8064_px_still_has_a_window():
    heat = np.zeros((24, 24))
    heat[5, 7] = 1.0
    box = select_window(heat, width=9600, height=9600, rule=WindowRule(name="vicrop")).box
    assert box.contains(PixelBox(2999, 2199, 3001, 2201))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_a_broken_map_is_refused(bad):
    heat = np.ones((4, 4))
    heat[1, 1] = bad
    with pytest.raises(ValueError, match="NaN, infinite or negative"):
        select_window(heat, width=100, height=100)


def test_boxes_grow_about_their_centre_and_move_inside():
    grown = grow_box(PixelBox(40, 40, 60, 60), width=200, height=200, min_px=0, margin=0.5)
    assert grown == PixelBox(35, 35, 65, 65)
    corner = grow_box(PixelBox(0, 190, 10, 200), width=200, height=200, min_px=64)
    assert corner == PixelBox(0, 136, 64, 200)
    assert grow_box(corner, width=50, height=200, min_px=64).width == 50


def test_settings_reach_the_rule():
    config = MagCropConfig(rule="vicrop", gamma=1.0, delta="cell", min_px=9, margin=0.1, gate=0.2)
    rule = build_window_rule(config, base_px=112)
    assert rule == WindowRule(
        name="vicrop", gamma=1.0, delta="cell", min_px=9, margin=0.1, gate=0.2, base_px=112
    )


def coverage(rule: WindowRule, target: tuple[int, int], n_maps: int = 60) -> tuple[float, float]:
    """Mean (target covered, image share of the box) in log-normal noise.

    See protocols/model#window-figures.
    """
    rng = np.random.default_rng(0)
    covered, area = [], []
    for _ in range(n_maps):
        heat = rng.lognormal(size=(24, 24))
        y, x = rng.integers(0, 24 - target[0] + 1), rng.integers(0, 24 - target[1] + 1)
        heat[y : y + target[0], x : x + target[1]] += 8.0
        x0, y0, x1, y1 = select_window(heat, width=240, height=240, rule=rule).box.as_ints()
        inside = np.zeros((240, 240), bool)
        inside[y0:y1, x0:x1] = True
        target_px = inside[y * 10 : (y + target[0]) * 10, x * 10 : (x + target[1]) * 10]
        covered.append(target_px.mean())
        area.append(inside.mean())
    return float(np.mean(covered)), float(np.mean(area))


def test_half_window_contrast_follows_the_size_of_the_target():
    rule = WindowRule(gamma=0.5, delta="half", min_px=1)
    small, large = coverage(rule, (4, 3)), coverage(rule, (10, 8))
    assert small[0] > 0.9
    assert large[0] > 0.85
    assert small[1] < large[1]
    per_area = WindowRule(gamma=1.0, delta="cell", min_px=1)
    assert coverage(per_area, (10, 8))[0] < 0.5  # the reference's normalisation loses big targets
