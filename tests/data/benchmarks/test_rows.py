"""Rows of annotation files: what is kept, and how the first that is wrong is named."""

from typing import Annotated, Literal

import pytest
from pydantic import Field
from typing_extensions import TypedDict

from geomag.data.benchmarks.rows import row_of, rows_of
from geomag.errors import AnnotationError


class Part(TypedDict):
    raw: Annotated[str, Field(description="Text.")]


class Whole(TypedDict):
    id: Annotated[int, Field(description="Number.")]
    kind: Annotated[Literal["a", "b"], Field(description="Kind.")]
    parts: Annotated[list[Part], Field(description="Parts.")]


RIGHT = {"id": 1, "kind": "a", "parts": [{"raw": "x", "tokens": ["x"]}], "area": 3.5}


def test_a_row_holds_what_is_read_and_nothing_else():
    assert row_of(Whole, RIGHT, place="x") == {"id": 1, "kind": "a", "parts": [{"raw": "x"}]}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**RIGHT, "id": True}, "f.json, row 7, id: True. Wanted: a value of type int"),
        ({**RIGHT, "id": "1"}, "f.json, row 7, id: '1'. Wanted: a value of type int"),
        ({**RIGHT, "kind": "c"}, "f.json, row 7, kind: 'c'. Wanted: 'a' or 'b'"),
        ({**RIGHT, "parts": {}}, "f.json, row 7, parts: {}. Wanted: a value of type list"),
        (
            {**RIGHT, "parts": [{"raw": "x"}, {"text": 1, 2: 3}]},
            "f.json, row 7, parts[1]: keys ['2', 'text']. Wanted: a key 'raw'",
        ),
        ({"kind": "a", "parts": []}, "f.json, row 7: keys ['kind', 'parts']. Wanted: a key 'id'"),
        ([1], "f.json, row 7: a list. Wanted: an object with keys"),
        (None, "f.json, row 7: a NoneType. Wanted: an object with keys"),
    ],
)
def test_the_first_wrong_row_is_named_with_what_it_holds(row, said):
    rows = [RIGHT] * 7 + [row, "wrong too"]
    with pytest.raises(AnnotationError) as told:
        rows_of(Whole, rows, place=lambda at: f"f.json, row {at}")
    assert str(told.value) == said
