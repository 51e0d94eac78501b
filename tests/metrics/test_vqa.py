"""The verdict table and the four averages of RSVQA (protocols/rsvqa#right-answers)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geomag.metrics import peers
from geomag.metrics.vqa import (
    FORMULAS,
    is_parsed,
    is_right,
    is_right_leniently,
    normalise,
    vqa_tally,
)

# answer "yes": prediction, strict, lenient, GeoChat, FIT-RS, LHRS-Bot, RSEvalKit (None: not tested)
VERDICTS = [
    ("yes", True, True, True, True, True, True),
    (" Yes. ", True, True, True, False, True, None),
    ("Yes, there is one.", False, True, False, False, False, False),
    ("yes\nThe image shows", True, True, False, False, False, False),
    ("yes and no", False, False, False, False, False, False),
    ("yesterday", False, False, False, False, False, False),
    ("", False, False, False, False, True, True),
    ("e", False, False, False, False, True, True),
]


@pytest.mark.parametrize("row", VERDICTS)
def test_f26_verdict_table(row):
    text, strict, lenient, geochat, fit_rs, lhrs_bot, rsevalkit = row
    assert is_right(text, "yes") is strict
    assert is_right_leniently(text, "yes", "presence") is lenient
    assert peers.geochat(text, "yes") is geochat
    assert peers.fit_rs(text, "yes") is fit_rs
    assert peers.lhrs_bot(text, "yes") is lhrs_bot
    if rsevalkit is not None:
        assert peers.rsevalkit(text, "yes") is rsevalkit


def test_token_recall_accepts_both_answers_at_once():
    assert peers.earthdial("yes, no", "yes")
    assert peers.earthdial("yes, no", "no")


def test_teochat_deletes_punctuation():
    assert peers.teochat("Yes!", "yes")
    assert not peers.teochat("yes there is", "yes")


@pytest.mark.parametrize(
    ("text", "kind", "parsed"),
    [
        ("Two", "count", False),
        ("2", "count", True),
        ("10632m2", "area", True),
        ("10632", "area", False),
        ("maybe", "presence", False),
        ("no.", "comp", True),
        ("Urban", "rural_urban", True),
        ("", "other", False),
    ],
)
def test_f26_answers_outside_the_types_vocabulary_are_unparsed(text, kind, parsed):
    assert is_parsed(text, kind) is parsed


def test_full_width_letters_are_folded():
    assert normalise("\uff39\uff45\uff53") == "yes"


def verdicts(**right_of):
    rows = []
    for kind, (n, right) in right_of.items():
        rows += [(kind, f"{i % 3}.tif", i < right) for i in range(n)]
    return rows


def averages(rows):
    tally = vqa_tally(*zip(*rows, strict=True))
    return {name: tally.value(formula) for name, formula in FORMULAS.items()}


def test_worked_example_of_the_four_averages():
    found = averages(verdicts(presence=(4, 3), comp=(6, 3), rural_urban=(2, 2)))
    assert found["presence"] == 0.75
    assert found["comparison"] == 0.5
    assert found["rural_urban"] == 1.0
    assert found["macro2"] == 0.625
    assert found["micro2"] == 0.6
    assert found["macro3"] == 0.75
    assert found["micro3"] == pytest.approx(8 / 12)


def test_a_type_without_questions_is_not_available():
    found = averages(verdicts(presence=(4, 3), comp=(6, 3)))
    assert math.isnan(found["macro3"])
    assert math.isnan(found["micro3"])
    assert math.isnan(found["count"])
    assert found["macro2"] == 0.625


def test_published_geochat_row_is_rebuilt_from_its_counts():
    found = averages(verdicts(presence=(2955, 2692), comp=(4002, 3615), rural_urban=(100, 94)))
    percent = {name: round(100 * value, 2) for name, value in found.items() if value == value}
    assert percent["presence"] == 91.10
    assert percent["comparison"] == 90.33
    assert percent["macro2"] == 90.71
    assert percent["micro2"] == 90.66
    assert percent["macro3"] == 91.81
    assert percent["micro3"] == 90.70


def test_a_model_that_never_looks_at_the_lr_test_set():
    # always "yes" to presence, "no" to comparison, "rural"
    found = averages(verdicts(presence=(2955, 2217), comp=(4002, 2671), rural_urban=(100, 56)))
    names = ("presence", "comparison", "rural_urban", "macro2", "micro3")
    assert [round(100 * found[n], 2) for n in names] == [75.03, 66.74, 56.00, 70.88, 70.06]


def test_published_earthdial_average_is_micro3():
    found = averages(verdicts(presence=(2955, 2736), comp=(4002, 3712), rural_urban=(100, 94)))
    assert round(100 * found["micro3"], 2) == 92.70


@given(st.text())
def test_strict_right_is_lenient_right_too(text):
    if is_right(text, "yes"):
        assert is_right_leniently(text.splitlines()[0] if text.splitlines() else "", "yes", "comp")
    assert not (is_right(text, "yes") and is_right(text, "no"))


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)
