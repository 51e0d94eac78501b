import hashlib
import json

from dagster import AssetCheckSeverity

from geomag_dagster.checks import (
    model_is_whole,
    no_test_picture_is_trained_on,
    nothing_is_missing,
    records_are_valid,
)
from geomag_dagster.metadata import PREVIEW_BYTES, picture


def test_only_a_critical_expectation_blocks(tmp_path):
    def look(*severities: str):
        broken = [{"severity": s, "is_met": False} for s in severities]
        valid = "critical" not in severities
        report = {"is_valid": valid, "outcomes": [{"is_met": True}, *broken]}
        (tmp_path / "report.json").write_text(json.dumps(report))
        return records_are_valid(tmp_path)

    assert look()[0]
    assert look("warning")[:2] == (False, AssetCheckSeverity.WARN)
    passed, severity, metadata = look("warning", "critical")
    assert (passed, severity) == (False, AssetCheckSeverity.ERROR)
    assert metadata["broken"] == 2


def test_a_model_without_its_marker_or_with_other_bytes_is_not_whole(tmp_path):
    (tmp_path / "weights").write_bytes(b"abc")
    assert not model_is_whole(tmp_path)[0]
    digest = hashlib.sha256(b"abc").hexdigest()
    (tmp_path / "complete.json").write_text(json.dumps({"files": {"weights": digest}}))
    assert model_is_whole(tmp_path)[0]
    (tmp_path / "weights").write_bytes(b"abd")
    passed, _, metadata = model_is_whole(tmp_path)
    assert (passed, metadata["wrong"]) == (False, ["weights"])


def test_missing_answers_are_a_warning_by_arm(tmp_path):
    path = tmp_path / "aid.json"
    plain = {"counts": {"missing": 2}, "splits": {"test_phili": {"counts": {"missing": 1}}}}
    path.write_text(json.dumps({"counts": {"missing": 0}, "arms": {"plain": plain}}))
    passed, severity, missing = nothing_is_missing(path)
    assert (passed, severity) == (False, AssetCheckSeverity.WARN)
    assert missing == {"magcrop": 0, "plain": 2, "plain test_phili": 1}


def test_leaking_pictures_are_a_warning_with_a_table(tmp_path):
    def look(**report):
        (tmp_path / "leakage.json").write_text(json.dumps({"drawn": [], **report}))
        return no_test_picture_is_trained_on(tmp_path)

    assert look(table=[], overlaps=[])[0]
    row = {"test": "aid", "train": "rrsis_d", "kind": "alike", "test_images": 1, "of": 9}
    one = {"benchmark": "aid", "split": "test", "image": "a.jpg"}
    overlap = {"kind": "alike", "bits": 3, "test": one, "train": one | {"split": "train"}}
    passed, severity, metadata = look(table=[row], overlaps=[overlap])
    assert (passed, severity) == (False, AssetCheckSeverity.WARN)
    assert metadata["overlaps"].records[0].data == row
    assert metadata["first"] == ["aid test a.jpg and aid train a.jpg: alike"]
    assert metadata["pairs"] == 1


def test_a_picture_travels_in_the_event_only_when_it_is_small(tmp_path):
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    small.write_bytes(b"x" * PREVIEW_BYTES)
    large.write_bytes(b"x" * (PREVIEW_BYTES + 1))
    assert picture(small).value.startswith("![preview](data:image/png;base64,eHh4")
    assert picture(large).value == str(large)
