"""Annotation fields: numbers, boxes, stems and ids, each fault with its place."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomag.data.benchmarks.fields import box_of, by_id, field, file_stem, number
from geomag.errors import AnnotationError, UnsafePathError


@given(st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_and_their_text_give_the_same(value):
    assert number(value, place="x") == float(value)
    assert math.isclose(number(repr(value), place="x"), float(value))


@pytest.mark.parametrize(
    "value", ["216,00", "", " ", "nan", "inf", "1e999", "0x10", "1_000", True, None, [1], "١"]
)
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(AnnotationError, match=r"^x: .*finite number"):
        number(value, place="x")


@given(st.lists(st.integers(-50, 50), min_size=4, max_size=4))
def test_a_box_comes_back_or_is_reversed(corners):
    x0, y0, x1, y1 = corners
    if x0 < x1 and y0 < y1:
        assert box_of(corners, place="x").corners == tuple(map(float, corners))
    else:
        with pytest.raises(AnnotationError, match="xmin < xmax and ymin < ymax"):
            box_of(corners, place="x")


@given(
    st.text(st.characters(exclude_characters="/\\:\0", exclude_categories=["Cs"]), min_size=1)
    .filter(lambda name: not name.startswith("."))
    .map(lambda name: name + ".jpg")
)
def test_a_plain_name_gives_its_stem_with_any_folder_in_front(name):
    assert file_stem(name, place="x") == name[:-4]
    assert file_stem(f"data/train/{name}", place="x") == name[:-4]


@given(
    head=st.sampled_from(["../", "/", "a/../", "..\\", "C:/", "a\\", "\\\\host\\"]),
    tail=st.text("abc", min_size=1),
)
def test_f14_no_path_that_could_leave_is_taken(head, tail):
    with pytest.raises(UnsafePathError, match="may leave the data root"):
        file_stem(f"{head}{tail}.jpg", place="x")


def test_a_bool_is_no_int_and_an_absent_key_shows_the_others():
    with pytest.raises(AnnotationError, match=r"x, id: True.*type int"):
        field({"id": True}, "id", int, place="x")
    with pytest.raises(AnnotationError, match=r"keys \['b', 'c'\].*key 'a'"):
        field({"c": 1, "b": 2}, "a", int, place="x")
    with pytest.raises(AnnotationError, match=r"x: a list.*key 'a'"):
        field([], "a", int, place="x")


def test_rows_are_indexed_by_id_not_by_position():
    rows = [{"id": 5, "v": "a"}, {"id": 2, "v": "b"}]
    assert {key: row["v"] for key, row in by_id(rows, place="x").items()} == {5: "a", 2: "b"}
