"""Expressions mean one box, questions have one answer: checked by counting, not by our rules."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from geomag.data.intake.own.boxes import LabelledBox, LabelledPicture
from geomag.data.intake.own.expressions import expressions
from geomag.data.intake.own.questions import picture_questions
from geomag.geometry import PixelBox
from tests.data.intake.own.conftest import FOREST

SIDE = 120
ROWS = {"upper": 0, "top": 0, "lower": 2, "bottom": 2}
COLUMNS = {"left": 0, "right": 2}


def picture(rows):
    objects = tuple(LabelledBox(label.lower(), PixelBox(*corners)) for *corners, label in rows)
    return LabelledPicture(Path("p.png"), SIDE, SIDE, objects)


@st.composite
def pictures(draw):
    edge = st.integers(0, SIDE - 1)
    rows = []
    for _ in range(draw(st.integers(1, 9))):
        x0, y0 = draw(edge), draw(edge)
        x1, y1 = draw(st.integers(x0 + 1, SIDE)), draw(st.integers(y0 + 1, SIDE))
        rows.append((x0, y0, x1, y1, draw(st.sampled_from(["Tree", "Car"]))))
    return picture(rows)


def is_there(box, words):
    """Whether the centre lies in the part of the picture that the words name."""
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    column, row = (min(2, int(at * 3 / SIDE)) for at in (x, y))
    if "center" in words:
        return (column, row) == (1, 1)
    wanted_row = [ROWS[word] for word in words if word in ROWS]
    wanted_column = [COLUMNS[word] for word in words if word in COLUMNS]
    return wanted_row in ([], [row]) and wanted_column in ([], [column])


def area(box):
    return box.width * box.height


KEYS = {
    "largest": area,
    "leftmost": lambda b: -(b.x0 + b.x1),
    "rightmost": lambda b: b.x0 + b.x1,
    "topmost": lambda b: -(b.y0 + b.y1),
    "bottommost": lambda b: b.y0 + b.y1,
}


def test_a_forest_by_hand():
    told = {(t.text, t.index) for t in expressions(picture(FOREST))}
    assert ("the largest tree", 0) in told
    assert ("the largest tree in the upper left", 0) in told  # one more lies on the third's line
    assert ("the tree in the lower right", 2) in told
    assert ("the topmost tree", 1) in told
    assert ("the leftmost tree", 3) in told


def test_a_single_object_needs_no_more_words():
    assert [t.text for t in expressions(picture(FOREST[:1]))] == ["the tree"]


@given(pictures())
def test_an_expression_fits_one_object_only(shown):
    for told in expressions(shown):
        words = told.text.split()
        label = next(word for word in words if word in ("tree", "car"))
        fitting = {
            k: item.box
            for k, item in enumerate(shown.objects)
            if item.label == label and is_there(item.box, words)
        }
        key = next((KEYS[word] for word in words if word in KEYS), None)
        if key is None:
            assert list(fitting) == [told.index]
        else:
            best = max(key(box) for box in fitting.values())
            assert [k for k, box in fitting.items() if key(box) == best] == [told.index]


def test_questions_of_a_forest_by_hand():
    asked = {q.text: (q.kind, q.answer) for q in picture_questions(picture(FOREST))}
    assert asked["What is the number of trees?"] == ("count", "4")
    assert asked["Is there a tree in the upper left?"] == ("presence", "yes")
    assert asked["Is there a tree in the upper right?"] == ("presence", "no")
    more = "Are there more trees in the left half than in the right half?"
    assert asked[more] == ("comp", "yes")
    assert asked["Are there more trees in the right half than in the left half?"][1] == "no"


@given(pictures())
def test_answers_follow_from_counting(shown):
    for question in picture_questions(shown):
        words = question.text.removesuffix("?").split()
        label = next(word.removesuffix("s") for word in words if word in WORDS)
        boxes = [item.box for item in shown.objects if item.label == label]
        if question.kind == "count":
            assert question.answer == str(len(boxes))
        elif question.kind == "presence":
            found = any(is_there(box, words) for box in boxes)
            assert question.answer == ("yes" if found else "no")
        elif "half" in words:
            first, second = (word for word in words if word in HALVES)
            here, there = (sum(HALVES[w](box) for box in boxes) for w in (first, second))
            assert (question.answer == "yes") == (here > there)
        else:
            others = [item for item in shown.objects if item.label != label]
            assert (question.answer == "yes") == (len(boxes) > len(others))


WORDS = ("tree", "car", "trees", "cars")
HALVES = {
    "left": lambda b: b.x0 + b.x1 < SIDE,
    "right": lambda b: b.x0 + b.x1 > SIDE,
    "top": lambda b: b.y0 + b.y1 < SIDE,
    "bottom": lambda b: b.y0 + b.y1 > SIDE,
}
