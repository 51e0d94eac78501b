"""Scores of small benchmarks, counted by hand, in the JSON contract of `geomag score`."""

from dataclasses import replace

import pytest

from geomag.config.schema import ScoreConfig
from geomag.data.benchmarks import Split
from geomag.errors import AnnotationError, PredictionError
from geomag.evaluate.score.context import ScoringContext
from geomag.evaluate.score.run import score
from tests.evaluate.score.cases import lay, question, record, scene, square

CONTRACT = {
    "benchmark",
    "split",
    "n_records",
    "protocol",
    "metrics",
    "variants",
    "intervals",
    "baselines",
    "counts",
}


def rate(tmp_path, name, rows, predictions, **options):
    _, file = lay(tmp_path, rows, predictions)
    context = ScoringContext(config=ScoreConfig(resamples=200), cache=tmp_path / "vectors")
    return score(name, file, rows, context, **options).score


REFERRING = [
    record("rrsis_d", 1, masks=(square((0, 4), (0, 4)),), kind="ship"),
    record("rrsis_d", 2, masks=(square((0, 2), (0, 2)),), kind="ship"),
    record("rrsis_d", 3, masks=(square((0, 1), (0, 4)),), kind="dam", notes=("mask_resized",)),
    record("rrsis_d", 4, kind="dam"),
]
ANSWERS = [
    {"id": "1", "masks": [square((0, 4), (1, 5))]},
    {"id": "2", "masks": [square((0, 2), (0, 4)), square((0, 2), (0, 2))]},
    {"id": "4", "masks": []},
]


def test_referring_scores_by_hand(tmp_path):
    found = rate(tmp_path, "rrsis_d", REFERRING, ANSWERS)
    assert set(found) == CONTRACT
    assert list(found["metrics"]) == [
        *(f"precision_at_{t}" for t in (0.5, 0.6, 0.7, 0.8, 0.9)),
        "overall_iou",
        "mean_iou",
    ]
    # IoU 0.6, 0.5 (the first of two masks), 0 (missing), 0 (both empty)
    assert found["metrics"]["mean_iou"] == pytest.approx(1.1 / 4)
    assert found["metrics"]["overall_iou"] == pytest.approx(16 / 32)
    assert found["metrics"]["precision_at_0.5"] == 0.5
    assert found["variants"]["strict"]["precision_at_0.5"] == 0.25
    assert found["variants"]["both_empty_one"]["mean_iou"] == pytest.approx(2.1 / 4)
    assert found["variants"]["by_class"]["ship"] == {
        "n": 2,
        "precision_at_0.5": 1.0,
        "mean_iou": pytest.approx(0.55),
    }
    assert set(found["variants"]) >= {"native", "480", "lisa"}
    counts = found["counts"]
    assert (counts["missing"], counts["empty"], counts["unparsed"]) == (1, 2, 1)
    assert (counts["several_masks"], counts["empty_truth"], counts["mask_resized"]) == (1, 1, 1)
    assert counts["missing_over_limit"] is True
    low, high = found["intervals"]["mean_iou"]
    assert 0 <= low <= found["metrics"]["mean_iou"] <= high <= 0.6
    # the whole image: 16, 4, 4 of 100 pixels and an empty truth
    assert found["baselines"]["all_foreground"]["mean_iou"] == pytest.approx(0.24 / 4)
    assert found["baselines"]["all_foreground"]["overall_iou"] == pytest.approx(24 / 400)


def test_f25_both_empty_is_a_setting_of_the_score(tmp_path):
    _, file = lay(tmp_path, REFERRING, ANSWERS)
    context = ScoringContext(config=ScoreConfig(resamples=20, both_empty=1.0))
    found = score("rrsis_d", file, REFERRING, context).score
    assert found["metrics"]["mean_iou"] == pytest.approx(2.1 / 4)
    assert found["protocol"]["both_empty"] == 1.0


def test_truth_scores_one_whatever_the_order_of_lines(tmp_path):
    rows = REFERRING[:3]
    truth = [{"id": r.id, "masks": list(r.masks)} for r in rows]
    found = rate(tmp_path, "rrsis_d", rows, truth)
    assert set(found["metrics"].values()) == {1.0}
    assert rate(tmp_path, "rrsis_d", rows, truth[::-1])["metrics"] == found["metrics"]


def test_arms_stand_beside_the_headline_and_rows_tell_diagnostics(tmp_path):
    lay(tmp_path, REFERRING, [], "plain.jsonl")
    rows = [a | {"crop_recall": i % 2, "granularity": "pixel"} for i, a in enumerate(ANSWERS)]
    lay(tmp_path, REFERRING, rows)
    (tmp_path / "records.jsonl").unlink()
    context = ScoringContext(config=ScoreConfig(resamples=20))
    done = score("rrsis_d", tmp_path, REFERRING, context)
    assert done.score["metrics"]["precision_at_0.5"] == 0.5
    assert done.score["arms"]["plain"]["metrics"]["precision_at_0.5"] == 0.0
    assert done.score["arms"]["plain"]["counts"]["missing"] == 4
    assert done.score["counts"]["diagnostics"] == {
        "crop_recall": {"mean": pytest.approx(1 / 3, abs=1e-9), "n": 3},
        "granularity": {"pixel": 3},
    }
    assert done.samples["magcrop"][0] == {
        "id": "1",
        "image": "1.jpg",
        "intersection": 12,
        "union": 20,
    }


VQA = [
    *(question(i, i % 2, "presence", "yes") for i in range(4)),
    *(question(10 + i, i % 2, "comp", "no") for i in range(6)),
    *(question(20 + i, i % 2, "rural_urban", "rural") for i in range(2)),
    question(30, 0, "count", "3"),
    *(question(40 + i, 7, "presence", "no", Split.TRAIN) for i in range(3)),
    question(50, 7, "comp", "no", Split.TRAIN),
]


def vqa_answers():
    right = {0, 1, 2, 10, 11, 12, 20, 21, 30}
    truth = {int(r.id): r.answers[0] for r in VQA if r.split is Split.TEST}
    answers = [
        {"id": str(i), "text": f" {a.upper()}. " if i in right else "Yes, no."}
        for i, a in truth.items()
    ]
    return [a for a in answers if a["id"] != "15"]


def test_vqa_worked_example_with_a_missing_answer(tmp_path):
    found = rate(tmp_path, "rsvqa_lr", VQA, vqa_answers())
    assert found["metrics"] == {"presence": 0.75, "comparison": 0.5, "average": 0.625}
    variants = found["variants"]
    assert variants["micro2"]["average"] == 0.6
    assert variants["macro3"]["average"] == 0.75
    assert variants["micro3"]["average"] == pytest.approx(8 / 12)
    assert variants["strict"]["count"] == 1.0
    assert variants["strict"]["area"] is None
    assert variants["lenient"]["average"] == 0.625
    # "Yes, no." holds every word of either answer; nothing at all is a part of either
    assert variants["rule: EarthDial"]["average"] == pytest.approx((1 + 5 / 6) / 2)
    assert variants["rule: LHRS-Bot"]["average"] == pytest.approx((0.75 + 4 / 6) / 2)
    assert found["counts"]["missing"] == 1
    assert found["counts"]["unparsed"] == 4
    assert found["counts"]["n"] == {"comp": 6, "count": 1, "presence": 4, "rural_urban": 2}
    # the train split says "no" to both types: every presence question wrong, comp right
    floor = found["baselines"]["majority_per_type"]
    assert floor == {"presence": 0.0, "comparison": 1.0, "average": 0.5}
    # all questions have the same words, so knowing them adds nothing
    assert found["baselines"]["question_only"] == floor


def test_a_question_only_answer_knows_the_words_of_train_and_nothing_else(tmp_path):
    def asked(name, words, answer, split=Split.TEST):
        return replace(question(name, name, "presence", answer, split), text=words)

    rows = [
        asked(1, "a road?", "yes"),
        asked(2, "a ship?", "no"),
        asked(3, "a dam?", "yes"),
        asked(4, "a road?", "yes", Split.TRAIN),
        asked(5, "a ship?", "no", Split.TRAIN),
        asked(6, "a pool?", "no", Split.TRAIN),
    ]
    found = rate(tmp_path, "rsvqa_lr", rows, [])
    assert found["baselines"]["majority_per_type"]["presence"] == pytest.approx(1 / 3)
    assert found["baselines"]["question_only"]["presence"] == pytest.approx(2 / 3)


def test_the_box_of_the_heatmap_is_a_baseline_where_answers_have_windows(tmp_path):
    windows = {"1": [[0, 0, 10, 10], [0.0, 0.0, 4.0, 5.0]], "2": [[1, 0, 3, 2]]}
    rows = [a | {"crop_boxes": windows.get(a["id"], [])} for a in ANSWERS]
    found = rate(tmp_path, "rrsis_d", REFERRING, rows)
    # 16 of 20 pixels, 2 of 6, no answer, no window
    assert found["baselines"]["box_of_heatmap"]["mean_iou"] == pytest.approx((0.8 + 1 / 3) / 4)
    assert "box_of_heatmap" not in rate(tmp_path, "rrsis_d", REFERRING, ANSWERS)["baselines"]


def test_answers_to_a_blank_image_are_a_baseline_beside_other_arms(tmp_path):
    without = rate(tmp_path, "rsvqa_lr", VQA, vqa_answers())
    said = [{"id": r.id, "text": "no"} for r in VQA if r.split is Split.TEST]
    blank = lay(tmp_path, VQA, said, "blank.jsonl")[1]
    (tmp_path / "records.jsonl").unlink()
    context = ScoringContext(config=ScoreConfig(resamples=200))
    found = score("rsvqa_lr", tmp_path, VQA, context).score
    assert found["baselines"].pop("blank_image") == {
        "presence": 0.0,
        "comparison": 1.0,
        "average": 0.5,
    }
    assert found == without  # nothing else changes, and it is no arm
    alone = score("rsvqa_lr", blank, VQA, context).score
    assert alone["metrics"]["average"] == 0.5
    assert "blank_image" not in alone["baselines"]
    lay(tmp_path, VQA, said[:3], "blank.jsonl")
    context.allows_missing = False
    with pytest.raises(PredictionError, match=r"blank\.jsonl: 10 of 13 records"):
        score("rsvqa_lr", blank, VQA, context)


def test_the_second_test_set_of_hr_stands_beside_the_first(tmp_path):
    rows = [
        question(1, 0, "presence", "yes", benchmark="rsvqa_hr"),
        question(2, 0, "comp", "no", benchmark="rsvqa_hr"),
        question(3, 1, "presence", "yes", Split.TEST_PHILI, "rsvqa_hr"),
        question(4, 1, "comp", "no", Split.TEST_PHILI, "rsvqa_hr"),
    ]
    answers = [{"id": str(i), "text": "yes"} for i in (1, 2, 3, 4)]
    found = rate(tmp_path, "rsvqa_hr", rows, answers)
    assert found["split"] == "test"
    assert found["metrics"]["average"] == 0.5
    other = found["splits"]["test_phili"]
    assert set(other) == CONTRACT
    assert (other["split"], other["n_records"]) == ("test_phili", 2)
    assert "splits" not in rate(tmp_path, "rsvqa_hr", rows, answers[:2])
    only = rate(tmp_path, "rsvqa_hr", rows, answers, split=Split.TEST_PHILI)
    assert only["metrics"] == other["metrics"]


def test_scenes_by_hand(tmp_path):
    rows = [scene(f"a_{i}", "A") for i in range(3)] + [
        scene("b_1", "B"),
        scene("c", "C", Split.VAL),
    ]
    texts = ["A.", "a", " 'a' ", "It is c or so"]
    answers = [{"id": r.id, "text": t} for r, t in zip(rows, texts, strict=False)]
    found = rate(tmp_path, "aid", rows, answers)
    assert found["metrics"] == {"accuracy": 0.75, "balanced_accuracy": 0.5}
    assert found["variants"]["recall"] == {"a": 1.0, "b": 0.0}
    assert found["counts"]["unparsed"] == 1
    assert found["counts"]["confusion"] == {"a": {"a": 3}, "b": {"unparsed": 1}}
    assert found["protocol"]["classes"] == ["a", "b", "c"]
    assert found["baselines"]["majority_class_of_test"]["accuracy"] == 0.75


def test_scene_toy_of_four(tmp_path):
    rows = [scene("a_1", "A"), scene("a_2", "A"), scene("b_1", "B"), scene("b_2", "B")]
    texts = ["a", "neither", "b", "a"]
    answers = [{"id": r.id, "text": t} for r, t in zip(rows, texts, strict=True)]
    found = rate(tmp_path, "aid", rows, answers)
    assert found["metrics"] == {"accuracy": 0.5, "balanced_accuracy": 0.5}
    assert found["variants"]["recall"] == {"a": 0.5, "b": 0.5}


def test_lists_of_peers_are_subsets_of_the_same_run(tmp_path):
    rows = [scene(f"airport_{i}", "Airport") for i in range(1, 11)]
    answers = [{"id": r.id, "text": "airport"} for r in rows if r.id.endswith(("_8.jpg", "_3.jpg"))]
    found = rate(tmp_path, "aid", rows, answers)
    assert found["variants"]["last_20"] == {"n": 2.0, "accuracy": 0.5}
    assert found["variants"]["seeded_30"]["n"] == 3.0


def test_a_split_without_records_is_an_error(tmp_path):
    with pytest.raises(AnnotationError, match="aid, split val: no records"):
        rate(tmp_path, "aid", [scene("a_1", "A")], [], split=Split.VAL)


def test_an_arm_and_a_second_split_are_looked_at_for_missing_answers_too(tmp_path):
    rows = [
        question(i, 0, "comp", "no", split, "rsvqa_hr")
        for i, split in enumerate([Split.TEST] * 2 + [Split.TEST_PHILI] * 2)
    ]
    context = ScoringContext(config=ScoreConfig(resamples=10), allows_missing=False)

    def run(n_answers):
        _, file = lay(tmp_path, rows, [{"id": str(i), "text": "no"} for i in range(n_answers)])
        return score("rsvqa_hr", file, rows, context).score

    assert run(4)["counts"]["missing"] == 0
    assert run(2)["metrics"]["comparison"] == 1.0  # the headline split alone
    with pytest.raises(PredictionError, match=r"1 of 2 records of rsvqa_hr test_phili .* as 3"):
        run(3)
    with pytest.raises(PredictionError, match=r"1 of 2 records of rsvqa_hr test have no .* as 1"):
        run(1)
