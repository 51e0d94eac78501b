"""A real model's answers: EarthDial's, to the 10,004 test questions of RSVQA-LR.

`GEOMAG_REAL_DATA` names a folder with ``rsvqa_lr/test_qa.json`` (question, type and true answer)
and ``predictions/earthdial_rsvqa_lr.jsonl``. Neither is ours to pass on; the average of
the counts is tested in `test_vqa.py`.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

from geomag.io import read_json, read_jsonl
from geomag.metrics.vqa import FORMULAS, is_right, vqa_tally

REAL = Path(os.environ.get("GEOMAG_REAL_DATA", "../shared/real"))
QUESTIONS = REAL / "rsvqa_lr" / "test_qa.json"
ANSWERS = REAL / "predictions" / "earthdial_rsvqa_lr.jsonl"

COUNTS = {"presence": (2736, 2955), "comp": (3712, 4002), "rural_urban": (94, 100)}
"""Right answers and questions by type."""
PUBLISHED = 0.9270
"""EarthDial's average over all questions of RSVQA-LR but counts."""


@pytest.mark.skipif(
    not (QUESTIONS.is_file() and ANSWERS.is_file()),
    reason=f"EarthDial's answers are not at {REAL} (GEOMAG_REAL_DATA); test_vqa.py has the counts",
)
def test_earthdials_own_answers_are_judged_as_published():
    said = {row["id"]: row["text"] for row in read_jsonl(ANSWERS)}
    asked = read_json(QUESTIONS)
    assert len(said) == len(asked) == 10_004
    kinds = [row["type"] for row in asked]
    right = [is_right(said[str(row["question_id"])], row["answer"]) for row in asked]
    n = Counter(kinds)
    good = Counter(kind for kind, is_good in zip(kinds, right, strict=True) if is_good)
    assert {kind: (good[kind], n[kind]) for kind in COUNTS} == COUNTS
    found = vqa_tally(kinds, ["one"] * len(kinds), right).value(FORMULAS["micro3"])
    assert round(float(found), 4) == PUBLISHED
