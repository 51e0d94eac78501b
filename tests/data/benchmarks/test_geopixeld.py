"""GeoPixelD: fillPoly, one mask per [SEG], val by source image (protocols/gcg#files)."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomag.data.benchmarks.geopixeld.reader import held_out_sources, source_of
from geomag.data.benchmarks.masks import fill_polygons
from geomag.data.benchmarks.registry import read_benchmark
from geomag.data.grounded import parse_grounding
from geomag.errors import AnnotationError, UnsafePathError
from geomag.geometry import decode_mask, mask_area


def read(tree):
    return list(read_benchmark("geopixeld", tree.root))


def test_a_group_is_the_or_of_its_filled_polygons(geopixel):
    record = read(geopixel)[0]
    mask = decode_mask(record.masks[0])
    assert mask[2:6, 2:6].sum() == 16, "the square of the protocol covers 16 pixels"
    # triangle (10,10) (12,10) (12,12): rows of 3, 2 and 1 pixels, its border included
    assert mask[10:13, 10:13].tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 1]]
    assert mask.sum() == 16 + 6
    assert record.phrases == ("ships-1", "a pier")
    assert record.text == geopixel.text + " So P0000_0_16_0_20."
    assert (record.width, record.height, record.notes) == (20, 16, ())


def test_x_comes_before_y_and_coordinate_w_clips(geopixel):
    mask = decode_mask(read(geopixel)[0].masks[1])
    rows, cols = np.nonzero(mask)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (0, 2, 18, 19)


def test_val_is_a_tenth_of_the_train_sources_and_takes_their_neighbours_along(geopixel):
    records = read(geopixel)
    by_split = {s: {source_of(r.id) for r in records if r.split == s} for s in ("train", "val")}
    assert len(by_split["val"]) == 2, "a tenth of eleven, rounded up"
    assert not by_split["val"] & by_split["train"]
    assert len(by_split["train"] | by_split["val"]) == 11
    assert [r.id for r in records if r.split == "test"] == ["P0100_0_16_0_20", "P2100"]
    assert [r.split for r in read(geopixel)] == [r.split for r in records]


@given(st.sets(st.integers(0, 9999), min_size=2, max_size=200))
def test_the_held_out_sources_are_a_tenth_and_ignore_order(numbers):
    stems = [f"P{n:04}_0_800_0_800" for n in numbers]
    held = held_out_sources(stems)
    assert len(held) == -(-len(numbers) // 10)
    assert held == held_out_sources(reversed(stems))
    assert held < {source_of(stem) for stem in stems}


def test_a_single_source_is_not_held_out():
    assert held_out_sources(["P0001_0_1_0_1", "P0001_0_1_1_2"]) == frozenset()


def test_the_number_of_masks_must_be_that_of_the_seg_tokens(geopixel):
    geopixel.patch("test", "P2100", gcg_description="Two <p> ships </p> [SEG].")
    with pytest.raises(AnnotationError, match=r"test/P2100\.json: 2 masks.*1 \[SEG\]"):
        read(geopixel)


@pytest.mark.parametrize(
    "img", ["../../etc/P2100.png", "/data/P2100.png", "..\\P2100.png", "data/../P2100.png"]
)
def test_f14_a_hostile_img_path_is_refused_and_shown(geopixel, img):
    geopixel.patch("test", "P2100", img=img)
    with pytest.raises(UnsafePathError, match=r"test/P2100\.json, img: path .*P2100\.png"):
        read(geopixel)


def test_the_documented_key_and_the_rle_form_are_read(geopixel):
    tree = json.loads((geopixel.folder / "test/P2100.json").read_text())
    geopixel.patch("test", "P2100", polygons=None, polygon=tree["polygons"])
    drawn = read(geopixel)[-1].masks
    geopixel.patch("test", "P2100", polygons=None, segmentation=list(drawn))
    assert read(geopixel)[-1].masks == drawn
    wrong = {"size": [20, 16], "counts": drawn[0]["counts"]}
    geopixel.patch("test", "P2100", polygons=None, segmentation=[wrong, wrong])
    with pytest.raises(AnnotationError, match=r"RLE of size \[20, 16\].*\[16, 20\]"):
        read(geopixel)


def test_f17_a_polygon_out_of_bounds_is_clipped_and_noted(geopixel):
    outside = [[[15, -4], [40, -4], [40, 40], [15, 40]]]
    inside = [[[0, 0], [1, 0], [1, 1]]]
    geopixel.patch("test", "P2100", polygons=[outside, inside])
    record = read(geopixel)[-1]
    assert record.notes == ("polygon_clipped",)
    assert mask_area(record.masks[0]) == 5 * 16


@pytest.mark.parametrize(
    ("polygons", "message"),
    [
        ([[], [[[0, 0]]]], r"polygons\[0\]: \[\].*list of polygons"),
        ([[[]], [[[0, 0]]]], r"polygons\[0\]: \[\].*list of \[x, y\]"),
        ([[[[1, 2, 3]]], [[[0, 0]]]], r"polygons\[0\], point 0: \[1, 2, 3\]"),
        ([[[[1e9, 2]]], [[[0, 0]]]], r"point 0: \(1e\+09, 2\)"),
        ([[[["a", 2]]], [[[0, 0]]]], r"point 0: 'a'"),
    ],
)
def test_a_broken_polygon_is_named(geopixel, polygons, message):
    geopixel.patch("test", "P2100", polygons=polygons)
    with pytest.raises(AnnotationError, match=rf"test/P2100\.json, .*{message}"):
        read(geopixel)


def test_a_wholly_outside_target_is_an_empty_mask(geopixel):
    geopixel.patch("test", "P2100", polygons=[[[[90, 90], [95, 90], [95, 95]]], [[[0, 0]]]])
    assert read(geopixel)[-1].notes == ("polygon_clipped", "empty_mask")


def test_phrases_and_masks_that_do_not_pair_are_noted(geopixel):
    text = "A <p> road </p>, [SEG] and <p> a\ncar </p>  [SEG]"
    geopixel.patch("test", "P2100", gcg_description=text)
    record = read(geopixel)[-1]
    assert record.phrases == ("", "a\ncar")
    assert record.notes == ("seg_without_phrase", "phrase_without_mask")


@given(
    st.lists(
        st.tuples(st.text("abc -12", min_size=1).map(str.strip).filter(bool), st.text("xyz ."))
    )
)
def test_a_well_formed_text_gives_its_phrases_back(parts):
    text = "".join(f"{tail}<p> {phrase} </p> [SEG]" for phrase, tail in parts)
    grounding = parse_grounding(text)
    assert grounding.phrases == tuple(phrase for phrase, _ in parts)
    assert (grounding.n_without_phrase, grounding.n_without_mask) == (0, 0)


@given(x0=st.integers(-9, 30), y0=st.integers(-9, 30), w=st.integers(0, 30), h=st.integers(0, 30))
def test_a_filled_rectangle_holds_its_border_and_is_clipped(x0, y0, w, h):
    corners = [(x0, y0), (x0 + w, y0), (x0 + w, y0 + h), (x0, y0 + h)]
    mask = fill_polygons([corners], width=20, height=16)
    wanted = np.zeros((16, 20), bool)
    wanted[max(y0, 0) : max(y0 + h + 1, 0), max(x0, 0) : max(x0 + w + 1, 0)] = True
    assert np.array_equal(mask, wanted)


def test_an_absent_split_folder_is_named(geopixel):
    (folder,) = geopixel.root.rglob("test")
    folder.rename(geopixel.root / "elsewhere")
    with pytest.raises(AnnotationError, match="no test, only train"):
        read(geopixel)
