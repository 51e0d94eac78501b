"""The validate stage: what it writes, what stops it, and that it names the record."""

import json
import shutil

import pytest
from PIL import Image

from geomag.config import load_profile, override
from geomag.data.benchmarks import BENCHMARKS
from geomag.data.benchmarks.registry import read_benchmark
from geomag.data.records import read_records
from geomag.data.validate.expected import Expected
from geomag.data.validate.run import validate
from geomag.data.validate.suite import run_suite
from geomag.data.validate.table import Manifest
from geomag.errors import AnnotationError, ConfigError
from geomag.io import file_digest, read_json, write_json

pytestmark = pytest.mark.integration  # importing Great Expectations takes 3 to 10 s

SAMPLE = load_profile("sample")
DOWNLOADS = override(SAMPLE, data={"source": "downloads"})


@pytest.fixture
def out(tmp_path):
    return tmp_path / "records"


def mark(root, benchmark, **counts):
    write_json(root / "SAMPLE.json", {"benchmark": benchmark, "counts": counts, "digest": "d1"})


def outcomes_of(out, **wanted):
    rows = read_json(out / "report.json")["outcomes"]
    return [row for row in rows if all(row.get(k) == v for k, v in wanted.items())]


def test_records_report_and_marker_are_written(rrsis, out):
    root = rrsis.write()
    mark(root, "rrsis_d", train=2, val=1, test=2)
    assert validate("rrsis_d", root.parent, out, SAMPLE).is_valid
    records = list(read_records(out / "records.jsonl"))
    assert records == list(read_benchmark("rrsis_d", root))
    marker = read_json(out / "complete.json")
    assert marker["n_records"] == 5
    assert marker["records_sha256"] == file_digest(out / "records.jsonl")
    report = read_json(out / "report.json")
    assert report["notes"] == {"empty_mask": 1, "mask_resized": 1}
    assert report["counts"] == {"train": 2, "val": 1, "test": 2}
    assert report["image_kinds"] == {".jpg": 5}
    assert report["sources"]["SAMPLE.json"] == "d1"
    assert report["sources"]["rrsisd/instances.json"] == file_digest(root / "rrsisd/instances.json")
    (empty,) = [row for row in report["outcomes"] if not row["is_met"]]
    assert (empty["severity"], empty["n_unexpected"]) == ("warning", 1)
    assert empty["offenders"] == ["40 (images/rrsisd/JPEGImages/00040.jpg)"]


def test_equal_data_gives_equal_bytes(refsegrs, out, tmp_path):
    validate("refsegrs", refsegrs, out, SAMPLE)
    validate("refsegrs", refsegrs, tmp_path / "again", SAMPLE)
    for name in ("records.jsonl", "report.json", "complete.json"):
        assert (out / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_all_tasks_pass_their_suites(refsegrs, geopixel, dior, rsvqa_lr, rsvqa_hr, ucm, aid, out):
    roots = {
        "refsegrs": refsegrs, "geopixeld": geopixel.root, "dior_rsvg": dior,
        "rsvqa_lr": rsvqa_lr.root, "rsvqa_hr": rsvqa_hr.root, "ucm_captions": ucm, "aid": aid,
    }  # fmt: skip
    for name, root in roots.items():
        report = validate(name, root, out / name, SAMPLE)
        assert report.is_valid
        assert not any(outcome.exception for outcome in report.outcomes), name
        blocking = [o for o in report.outcomes if o.severity == "critical"]
        assert len(blocking) >= 10


def test_f19_duplicate_ids_stop_the_stage_and_name_both(rrsis, out):
    rrsis.refs[3]["ref_id"] = 23
    with pytest.raises(AnnotationError, match=r"rrsis_d, record 23 .*00023\.jpg") as caught:
        validate("rrsis_d", rrsis.write(), out, SAMPLE)
    assert "23 (images/rrsisd/JPEGImages/00031.jpg)" in str(caught.value)
    assert not (out / "records.jsonl").exists()
    assert not (out / "complete.json").exists()
    report = read_json(out / "report.json")
    assert report["is_valid"] is False
    assert "record 23" in report["error"]
    (unique,) = outcomes_of(out, expectation="expect_column_values_to_be_unique")
    assert unique["n_unexpected"] == 2


def test_a_broken_file_leaves_its_error_in_the_report(refsegrs, out):
    (refsegrs / "RefSegRS/output_phrase_val.txt").write_text("90\n")
    with pytest.raises(AnnotationError, match=r"output_phrase_val\.txt, line 1"):
        validate("refsegrs", refsegrs, out, SAMPLE)
    assert "line 1: '90'" in read_json(out / "report.json")["error"]
    assert [path.name for path in out.iterdir()] == ["report.json"]


def test_an_earlier_result_does_not_outlive_a_failure(refsegrs, out):
    validate("refsegrs", refsegrs, out, SAMPLE)
    (refsegrs / "RefSegRS/images/17.tif").unlink()
    with pytest.raises(AnnotationError, match="images are missing: 17"):
        validate("refsegrs", refsegrs, out, SAMPLE)
    assert [path.name for path in out.iterdir()] == ["report.json"]


def test_f20_an_image_under_two_splits_is_fatal(rsvqa_lr, out):
    rsvqa_lr.change("test", "images", 5, id=1)
    for position in (21, 23, 24):
        rsvqa_lr.change("test", "questions", position, img_id=1)
    with pytest.raises(AnnotationError, match=r"record 1 \(Images_LR/1\.tif\).*in_other_split"):
        validate("rsvqa_lr", rsvqa_lr.root, out, SAMPLE)


def test_the_same_bytes_under_another_name_are_a_warning(rsvqa_lr, out):
    shutil.copy(rsvqa_lr.folder / "1.tif", rsvqa_lr.folder / "5.tif")
    validate("rsvqa_lr", rsvqa_lr.root, out, SAMPLE)
    (twin,) = [row for row in outcomes_of(out, is_met=False) if "twin" in row["about"]]
    assert (twin["severity"], twin["n_unexpected"]) == ("warning", 6)


def test_dior_shares_images_between_splits_by_design(dior, out):
    assert validate("dior_rsvg", dior, out, SAMPLE).is_valid
    (shared,) = [r for r in outcomes_of(out, is_met=False) if "column in_other" in r["about"]]
    assert (shared["severity"], shared["n_unexpected"]) == ("info", 2)


def test_f34_one_class_all_over_train_blocks(dior, out):
    for path in (dior / "DIOR_RSVG/Annotations").glob("*.xml"):
        text = path.read_text()
        for name in ("storagetank", "golffield", "vehicle"):
            text = text.replace(f"<name>{name}<", "<name>ship<")
        path.write_text(text)
    with pytest.raises(
        AnnotationError, match=r"dior_rsvg: found 1\..*column label.*split == train"
    ):
        validate("dior_rsvg", dior, out, SAMPLE)


def test_f34_yes_to_every_question_blocks(rsvqa_lr, out):
    rsvqa_lr.change("train", "answers", 103, answer="yes")
    with pytest.raises(AnnotationError, match=r"rsvqa_lr: found 1\..*column label"):
        validate("rsvqa_lr", rsvqa_lr.root, out, SAMPLE)


def test_an_answer_outside_yes_and_no_is_named(rsvqa_lr, out):
    rsvqa_lr.change("val", "answers", 113, answer="maybe")
    with pytest.raises(AnnotationError, match=r"record 13 \(Images_LR/3\.tif\)"):
        validate("rsvqa_lr", rsvqa_lr.root, out, SAMPLE)


@pytest.mark.parametrize("box", [[100, 1, 140, 6], [-40, 1, 4, 6]])
def test_f18_a_box_far_outside_its_image_is_named(rrsis, out, box):
    rrsis.instances["annotations"][2]["bbox"] = box
    with pytest.raises(AnnotationError, match=r"record 23 .*column box_overflow"):
        validate("rrsis_d", rrsis.write(), out, SAMPLE)


def test_f18_boxes_of_0_to_1_read_as_pixels_are_found_over_the_set(rrsis, out):
    for annotation in rrsis.instances["annotations"]:
        annotation["bbox"] = [0.1, 0.2, 0.9, 0.7]
    with pytest.raises(AnnotationError, match=r"found 0\.9\..*column x2, min_value 2"):
        validate("rrsis_d", rrsis.write(), out, SAMPLE)


def test_a_split_of_empty_masks_blocks(refsegrs, out):
    Image.new("L", (10, 12)).save(refsegrs / "RefSegRS/masks/105.tif")
    with pytest.raises(AnnotationError, match=r"found 0\..*mask_area.*split == test"):
        validate("refsegrs", refsegrs, out, SAMPLE)


def test_f22_control_characters_are_a_warning_and_a_blank_question_blocks(rsvqa_lr, out):
    rsvqa_lr.change("train", "questions", 1, question="Is a\u2028road\x07 there?")
    validate("rsvqa_lr", rsvqa_lr.root, out, SAMPLE)
    (control,) = [r for r in outcomes_of(out, is_met=False) if "column text" in r["about"]]
    assert (control["severity"], control["offenders"]) == ("warning", ["1 (Images_LR/1.tif)"])
    rsvqa_lr.change("train", "questions", 1, question=" \t ")
    with pytest.raises(AnnotationError, match=r"record 1 .*column text"):
        validate("rsvqa_lr", rsvqa_lr.root, out, SAMPLE)


def test_f21_counts_off_the_published_block_unless_accepted_and_then_are_stamped(refsegrs, out):
    with pytest.raises(
        AnnotationError, match=r"found 2 \(2 more.*value 2172.*split IN \['train'\]"
    ):
        validate("refsegrs", refsegrs, out, DOWNLOADS)
    accepting = override(DOWNLOADS, data={"accept_count": ["refsegrs"]})
    report = validate("refsegrs", refsegrs, out, accepting)
    assert report.count_accepted
    assert read_json(out / "complete.json")["count_accepted"] is True


def test_the_samples_own_counts_bind(aid, out):
    mark(aid, "aid", test=7)
    report = validate("aid", aid, out, SAMPLE)
    assert (report.expected_origin, report.count_accepted) == ("sample", False)
    mark(aid, "aid", test=8)
    with pytest.raises(AnnotationError, match=r"found 7\..*value 8"):
        validate("aid", aid, out, SAMPLE)


def test_the_drawn_sample_is_refused_where_downloads_are_wanted(aid, out):
    mark(aid, "aid", test=7)
    with pytest.raises(ConfigError, match="holds the drawn sample"):
        validate("aid", aid, out, DOWNLOADS)


def test_the_masks_of_geopixeld_are_compared_with_the_paper(geopixel, out):
    report = validate("geopixeld", geopixel.root, out, SAMPLE)
    assert report.remarks == (
        "train+val: 24 masks, 53816 expected (published)",
        "test: 4 masks, 5427 expected (published)",
        "pictures of 14 of 14 records are not 800 x 800, 14 of them 20 x 16: say so beside scores",
    )


def test_an_unknown_benchmark_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="'coco'"):
        validate("coco", tmp_path, tmp_path / "out", SAMPLE)


def manifest_of(name, root):
    manifest = Manifest(BENCHMARKS[name], root)
    list(manifest.watch(read_benchmark(name, root)))
    return manifest.frame()


def test_a_missing_column_stops_the_suite_at_its_first_expectation(aid):
    frame = manifest_of("aid", aid).drop(columns="image_md5")
    outcomes = run_suite(frame, BENCHMARKS["aid"], Expected({}, "sample"), counts_bind=True)
    assert len(outcomes) == 1
    assert outcomes[0].is_blocking
    assert "'missing': ['image_md5']" in outcomes[0].observed


def test_what_cannot_be_judged_is_an_exception_and_never_met(aid):
    frame = manifest_of("aid", aid)
    frame["width"] = ["wide"] * len(frame)
    outcomes = run_suite(frame, BENCHMARKS["aid"], Expected({}, "sample"), counts_bind=True)
    (width,) = [outcome for outcome in outcomes if "column width" in outcome.about]
    assert width.exception
    assert width.is_blocking
    assert json.dumps(width.to_json())


def test_the_manifest_carries_no_expression_of_dior(dior):
    assert not manifest_of("dior_rsvg", dior).map(lambda v: "secret" in str(v)).any().any()
