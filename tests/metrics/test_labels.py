"""Class-name rules: protocols/roc#metrics, protocols/scenes#worked-examples."""

import pytest

from geomag.metrics.labels import (
    class_key,
    class_keys,
    clean_label,
    clean_truth,
    lenient_class,
    semantic_iou,
    strict_class,
)

# protocols/roc#verified-values: prediction, label, SIoU
SIOU = [
    ("golf field", "golf field", 1),
    ("golf course", "golf field", 1 / 3),
    ("golffield", "golf field", 0),
    ("vehicle", "ship", 0),
    ("car", "vehicle", 0),
    ("small vehicle", "vehicle", 0.5),
    ("expressway service area", "expressway toll station", 0.2),
    ("Expressway-Service-area", "expressway service area", 0),
    ("windmill", "wind mill", 0),
    ("airplane", "airport", 0),
    ("a ship", "ship", 0.5),
    ("", "ship", 0),
    ("storage tanks", "storage tank", 1 / 3),
    ("tennis court", "basketball court", 1 / 3),
    ("I cannot tell", "dam", 0),
    ("ship", "ship", 1),
    ("storage-tank", "storage tank", 0),
    ('"ship"', "ship", 1),
]


@pytest.mark.parametrize(("prediction", "label", "value"), SIOU)
def test_siou_values_of_the_protocol(prediction, label, value):
    assert semantic_iou(clean_label(prediction), label) == pytest.approx(value)


def test_both_empty_is_zero():
    assert semantic_iou("", "") == 0.0


def test_worked_mean_of_three():
    rows = [("ship", "ship"), ("golf course", "golf field"), ("airplane", "airport")]
    assert sum(semantic_iou(a, b) for a, b in rows) / 3 == pytest.approx(4 / 9)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  ship\nbecause it floats", "ship"),
        ("Category: tennis court: sure", "tennis court"),
        ("a.b,c", "a b c"),
        ("'golf  field'.", "golf field"),
        ("", ""),
    ],
)
def test_predictions_are_cleaned_as_ospreys(text, cleaned):
    assert clean_label(text) == cleaned


def test_labels_lose_underscores():
    assert clean_truth("storage_tank") == "storage tank"


AID = class_keys(
    [
        "medium residential",
        "dense residential",
        "park",
        "parking",
        "baseball field",
        "storage tanks",
    ]
)
RESISC = class_keys(["parking lot", "baseball diamond"])


@pytest.mark.parametrize(
    ("text", "keys", "strict", "lenient"),
    [
        ("Medium Residential.", AID, "medium residential", "medium residential"),
        ("parking_lot", RESISC, "parking lot", "parking lot"),
        ("Parking Lot", RESISC, "parking lot", "parking lot"),
        ("baseball field", AID, "baseball field", "baseball field"),
        ("baseball diamond", AID, None, None),
        ("residential", AID, None, None),
        ("", AID, None, None),
        ("It is a dense residential area", AID, None, "dense residential"),
        ("park or parking", AID, None, None),
        ("parking", AID, "parking", "parking"),
        ("StorageTanks", AID, "storage tanks", "storage tanks"),
    ],
)
def test_scene_answers_of_the_protocol(text, keys, strict, lenient):
    assert strict_class(text, keys) == strict
    assert lenient_class(text, keys) == lenient


def test_keys_of_medium_residential_agree():
    assert class_key("MediumResidential") == class_key("Medium Residential.")


def test_a_very_long_answer_is_read_in_linear_time():
    assert lenient_class("word " * 10_000 + "parking", AID) == "parking"
