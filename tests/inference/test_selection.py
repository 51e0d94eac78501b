"""Which of two answers stands: the window's, or the whole image's where its mask is surer."""

import numpy as np
import pytest

from geomag.geometry import PixelBox
from geomag.inference.probes import WindowProposal
from geomag.inference.selection import resolve_answers, select_answer
from geomag.model.model_input import plain_input
from geomag.model.query import ModelAnswer, Query
from tests.model.whole import tiny_geomag

IMAGE = np.zeros((40, 60, 3), dtype=np.uint8)
MASK = np.arange(40 * 60).reshape(40, 60) < 100
BOX = (PixelBox(0, 0, 20, 20),)
MOST = 4


def drawn(score: float, mask=MASK) -> ModelAnswer:
    return ModelAnswer(f"[SEG] {score}", (mask,), (), 0, (score,))


SAID = ModelAnswer("yes", (), (), text_score=0.5)
DOUBT = {"margin": 0.02, "agreement": 0.7}


@pytest.mark.parametrize(
    ("plain", "through", "stands"),
    [(0.8, 0.9, "through"), (0.8, 0.81, "plain"), (0.9, 0.7, "plain")],
)
def test_the_window_must_be_ahead_by_the_margin(plain, through, stands):
    answers = {"plain": drawn(plain), "through": drawn(through, ~MASK)}
    assert select_answer(answers["plain"], answers["through"], **DOUBT) is answers[stands]


@pytest.mark.parametrize(("n_shared", "stands"), [(83, "through"), (82, "plain")])
def test_of_two_masks_of_one_object_the_window_s_stands(n_shared, stands):
    moved = np.roll(MASK, 100 - n_shared)  # 83 of 117 pixels are 0.709, 82 of 118 are 0.695
    answers = {"plain": drawn(0.9), "through": drawn(0.7, moved)}
    assert select_answer(answers["plain"], answers["through"], **DOUBT) is answers[stands]
    off = select_answer(answers["plain"], answers["through"], margin=0.02, agreement=1.0)
    assert off is answers["plain"]


def test_words_are_compared_by_their_own_probability():
    other = ModelAnswer("no", (), (), text_score=0.6)
    assert select_answer(SAID, other, **DOUBT) is other
    assert select_answer(other, SAID, **DOUBT) is other


def test_nothing_drawn_through_the_window_gives_way():
    assert select_answer(drawn(0.1), SAID, **DOUBT).text == "[SEG] 0.1"


def asked_again(**magcrop):
    model = tiny_geomag(magcrop=magcrop).eval()
    asked = []

    def answer(queries, *, max_new_tokens):
        assert max_new_tokens == MOST
        asked.extend(queries)
        return [drawn(0.6) for _ in queries]

    model.answer = answer
    return model, asked


def whole(index: int) -> Query:
    return Query(plain_input(IMAGE, tiny_geomag().profile), f"question {index}", 40, 60)


def test_answers_through_windows_are_doubted_and_known_plain_answers_are_not_asked_again():
    model, asked = asked_again(answer_selection="confidence")
    answers = [drawn(0.5, ~MASK), drawn(0.5), drawn(0.9), SAID, SAID]
    found = [
        WindowProposal(boxes=BOX, confidence=1.0, plain=drawn(0.7)),
        WindowProposal(boxes=(), confidence=0.0),
        WindowProposal(boxes=BOX, confidence=1.0),
        WindowProposal(boxes=BOX, confidence=1.0),
        None,
    ]
    settled = resolve_answers(
        model, model.profile.magcrop, answers, found, whole, max_new_tokens=MOST
    )
    assert [a.text for a in settled] == ["[SEG] 0.7", "[SEG] 0.5", "[SEG] 0.9", "[SEG] 0.6", "yes"]
    assert [q.prompt for q in asked] == ["question 2", "question 3"]


def test_the_paper_s_form_trusts_every_window():
    model, asked = asked_again(answer_selection="window")
    answers = [drawn(0.1)]
    found = [WindowProposal(boxes=BOX, confidence=1.0, plain=drawn(0.9))]
    assert (
        resolve_answers(model, model.profile.magcrop, answers, found, whole, max_new_tokens=MOST)
        == answers
    )
    assert asked == []
