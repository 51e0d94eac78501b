"""``geomag data check`` and ``validate`` as a user meets them."""

import os
import subprocess
import sys

import pytest

from geomag.config import load_profile, override, profile_text
from geomag.data.validate.check import check_benchmark
from geomag.data.validate.expected import Expected
from geomag.io import write_json

SAMPLE = load_profile("sample")
DOWNLOADS = override(SAMPLE, data={"source": "downloads"})


def geomag(*arguments, cwd, profile="sample"):
    return subprocess.run(
        [sys.executable, "-m", "geomag", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, timeout=120,
        env={**os.environ, "GEOMAG_PROFILE": profile},
    )  # fmt: skip


def test_a_part_of_a_benchmark_is_described(rrsis):
    result = check_benchmark("rrsis_d", rrsis.write().parent, SAMPLE)
    assert result.problem is None
    assert result.lines() == [
        "rrsis_d: partial (5 of 17,402 records)",
        f"  place    {rrsis.root}",
        "  tree     rrsisd/refs(unc).p, rrsisd/instances.json; records by image kind: .jpg 5",
        "  records  train 2, val 1, test 2",
        "  notes    empty_mask 1, mask_resized 1",
        "  remark   train: 2 records, 12181 expected (published)",
        "  remark   val: 1 records, 1740 expected (published)",
        "  remark   test: 2 records, 3481 expected (published)",
        "  remark   pictures of 5 of 5 records are not 800 x 800, 4 of them 20 x 20: say so beside "
        "scores",
    ]


def test_a_train_split_that_holds_val_too_is_known_by_its_counts():
    merged = Expected({"train": 1_680, "val": 210, "test": 210}, "published")
    assert merged.differences({"train": 1_890, "test": 210}) == [
        "train: 1890 records are train and val of the published split in one, as retrieval "
        "repositories (precomp) merge them"
    ]
    assert len(merged.differences({"train": 1_889, "test": 210})) == 2
    assert len(merged.differences({"train": 1_890, "test": 209})) == 3


def test_lists_of_retrieval_repositories_are_named_as_such(ucm):
    (ucm / "UCM_captions/dataset.json").unlink()
    (ucm / "UCM_captions/train_caps.txt").write_text("There is a piece of farmland .\n")
    problem = str(check_benchmark("ucm_captions", ucm, SAMPLE).problem)
    assert "retrieval repositories keep them (precomp), which merge train and val" in problem
    assert "fetch dataset.json of the published split" in problem


def test_f21_counts_bind_for_downloads_unless_accepted(rrsis):
    root = rrsis.write()
    refused = check_benchmark("rrsis_d", root, DOWNLOADS)
    assert "train: 2 records, 12181 expected (published)" in str(refused.problem)
    assert "--accept-count" in str(refused.problem)
    accepting = override(DOWNLOADS, data={"accept_count": ["rrsis_d"]})
    accepted = check_benchmark("rrsis_d", root, accepting)
    assert accepted.problem is None
    assert len(accepted.remarks) == 3 + 1  # counts of three splits, and the size of pictures


def test_the_first_broken_record_and_what_was_read_before_it(rrsis):
    rrsis.instances["annotations"][2]["bbox"] = [5, 5, 1, 1]
    result = check_benchmark("rrsis_d", rrsis.write(), SAMPLE)
    assert result.counts == {"train": 2}
    assert "annotation 23, bbox: box (5, 5, 1, 1)" in str(result.problem)
    assert result.lines()[0] == "rrsis_d: BROKEN"


def test_f19_duplicate_ids_are_named_with_both_places(rrsis):
    rrsis.refs[3]["ref_id"] = 23
    problem = str(check_benchmark("rrsis_d", rrsis.write(), SAMPLE).problem)
    assert "record 23: two records: " in problem
    assert "00023.jpg (val)" in problem
    assert "00031.jpg (test)" in problem


def test_many_annotation_files_are_counted(geopixel):
    result = check_benchmark("geopixeld", geopixel.root, SAMPLE)
    assert "P0000_0_16_0_20.json" in result.tree
    assert "and 11 more" in result.tree


@pytest.mark.integration
def test_the_command_ends_with_2_if_one_of_several_is_broken(rrsis, ucm, tmp_path):
    rrsis.write()
    whole = geomag("data", "check", "rrsis_d", "ucm_captions", "--data", tmp_path, cwd=tmp_path)
    assert whole.returncode == 0
    assert "ucm_captions: partial (" in whole.stdout
    (ucm / "UCM_captions/imgs/2.jpg").unlink()
    broken = geomag("data", "check", "rrsis_d", "ucm_captions", "--data", tmp_path, cwd=tmp_path)
    assert broken.returncode == 2
    assert "rrsis_d: partial (5 of 17,402 records)" in broken.stdout
    assert "1 images are missing: 2" in broken.stdout
    assert "Traceback" not in broken.stdout + broken.stderr


@pytest.mark.integration
def test_check_without_names_looks_at_all_ten_in_the_projects_data(aid, tmp_path):
    (tmp_path / "dvc.yaml").touch()
    aid.rename(tmp_path / "kept")
    (tmp_path / "data").mkdir()
    (tmp_path / "kept").rename(tmp_path / "data" / "aid")
    result = geomag("data", "check", cwd=tmp_path)
    assert result.returncode == 2
    assert "aid: partial (7 of 10,000 records)" in result.stdout
    assert result.stdout.count("BROKEN") == 9


@pytest.mark.integration
def test_check_without_names_calls_what_the_profile_leaves_out_not_chosen(aid, tmp_path):
    profile = tmp_path / "mine.yaml"
    profile.write_text(profile_text(override(SAMPLE, benchmarks=["aid"])))
    done = geomag("data", "check", "--data", tmp_path, cwd=tmp_path, profile=str(profile))
    assert done.returncode == 0
    assert done.stdout.startswith("aid: partial (7 of 10,000 records)")
    assert done.stdout.count(": not chosen") == 9


@pytest.mark.integration
def test_f21_accept_count_is_an_option_of_the_command(aid, tmp_path):
    refused = geomag("data", "check", "aid", "--data", tmp_path, cwd=tmp_path, profile="paper")
    assert refused.returncode == 2
    assert "test: 7 records, 10000 expected" in refused.stdout
    accepted = geomag(
        "data", "check", "aid", "--data", tmp_path, "--accept-count", cwd=tmp_path, profile="paper"
    )
    assert accepted.returncode == 0


@pytest.mark.integration
def test_validate_writes_under_artifacts_and_a_fault_is_one_message(aid, tmp_path):
    (tmp_path / "dvc.yaml").touch()
    write_json(aid / "SAMPLE.json", {"benchmark": "aid", "counts": {"test": 7}})
    done = geomag("data", "validate", "aid", "--data", tmp_path, cwd=tmp_path)
    assert done.returncode == 0
    assert "{'test': 7}" in done.stdout
    records = tmp_path / "artifacts" / "records" / "aid"
    assert (records / "complete.json").is_file()
    (aid / "AID" / "Elsewhere").mkdir()
    failed = geomag("data", "validate", "aid", "--data", tmp_path, cwd=tmp_path)
    assert failed.returncode == 2
    assert "Elsewhere: not a class folder" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert [path.name for path in records.iterdir()] == ["report.json"]
