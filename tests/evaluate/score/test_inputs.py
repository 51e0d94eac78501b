"""Predictions of anybody: what is refused, what is counted, what is kept."""

import re

import pytest

from geomag.data.benchmarks import BENCHMARKS, Split
from geomag.errors import PredictionError
from geomag.evaluate.score.inputs import (
    Joined,
    Prediction,
    gather,
    join,
    prediction_files,
    read_predictions,
)
from tests.evaluate.score.cases import lay, question, record, square

LR = BENCHMARKS["rsvqa_lr"]


def file_of(tmp_path, text):
    path = tmp_path / "p.jsonl"
    path.write_text(text, encoding="utf-8")
    return path


def test_extra_keys_are_kept_and_numbers_taken_as_ids(tmp_path):
    path = file_of(tmp_path, '{"id": 7, "text": "yes", "crop_recall": 1.0}\n\n')
    assert read_predictions(path) == {"7": Prediction("yes", extra={"crop_recall": 1.0})}


def test_lone_surrogates_become_readable(tmp_path):
    path = file_of(tmp_path, '{"id": "a", "text": "x\\ud800"}\n')
    assert read_predictions(path)["a"].text == "x?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"id": "1"}\n{"id": 1}\n', r"line 2: a second prediction of id '1'"),
        ('{"text": "yes"}\n', r"line 1, id: None. Wanted: the record's id"),
        ('{"id": true}\n', r"line 1, id: True"),
        ('{"id": "1", "text": 3}\n', r"id 1, text: 3. Wanted: a string"),
        ('{"id": "1", "masks": {"size": []}}\n', r"id 1, masks and phrases: not lists"),
        ('{"id": "1", "phrases": [1]}\n', r"id 1, phrases: \[1\]"),
    ],
)
def test_f19_lines_that_say_too_little_or_twice_are_refused(tmp_path, text, said):
    with pytest.raises(PredictionError, match=said):
        read_predictions(file_of(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PredictionError, match="no such file"):
        read_predictions(tmp_path / "none.jsonl")


def test_unknown_ids_are_refused_and_other_splits_left_alone():
    rows = [question("1", 0, "comp", "yes"), question("2", 0, "comp", "no", Split.VAL)]
    found = {"1": Prediction("yes"), "2": Prediction("no")}
    joined = join(rows[:1], found, benchmark=LR, known={"1", "2"}, place="p.jsonl")
    assert joined == Joined((rows[0],), (Prediction("yes"),))
    with pytest.raises(PredictionError, match="1 ids that rsvqa_lr lacks, such as 2"):
        join(rows[:1], found, benchmark=LR, known={"1"}, place="p.jsonl")


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (square((0, 2), (0, 2), size=8), "a mask of size [8, 8]"),
        ({"size": [10, 10], "counts": "5220003"}, "a mask whose runs cover 20 pixels"),
        ("5220003", "a mask without size and counts"),
    ],
)
def test_f17_a_mask_of_another_size_is_named_with_its_id(mask, said):
    rows = [record("rrsis_d", 42, masks=(square((0, 2), (0, 2)),))]
    found = {"42": Prediction(masks=(rows[0].masks[0], mask))}
    with pytest.raises(PredictionError, match=re.escape(f"id 42, mask 2: {said}")):
        join(rows, found, benchmark=BENCHMARKS["rrsis_d"], known={"42"}, place="p.jsonl")


def test_facts_come_from_train_and_images_from_val_too():
    rows = [
        question("1", 0, "comp", "yes", Split.TRAIN),
        question("2", 0, "comp", "yes", Split.TRAIN),
        question("3", 1, "comp", "no", Split.VAL),
        question("4", 2, "comp", "no"),
    ]
    chosen, facts, ids = gather(rows, (Split.TEST,))
    assert [r.id for r in chosen[Split.TEST]] == ["4"]
    assert facts.answers == {"comp": {"yes": 2}}
    assert facts.images == {"0.tif", "1.tif"}
    assert ids == {"1", "2", "3", "4"}


def test_a_folder_needs_the_headline_arm(tmp_path):
    lay(tmp_path, [], [], "plain.jsonl")
    (tmp_path / "records.jsonl").unlink()
    with pytest.raises(PredictionError, match=re.escape("['plain']. Wanted: magcrop.jsonl")):
        list(prediction_files(tmp_path))
    lay(tmp_path, [], [], "magcrop.jsonl")
    (tmp_path / "records.jsonl").unlink()
    assert [arm for arm, _ in prediction_files(tmp_path)] == ["magcrop", "plain"]
    assert next(prediction_files(tmp_path / "plain.jsonl"))[0] == "plain"
