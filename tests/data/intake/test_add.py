"""New imagery: merged and tracked, twice the same, refused with data/ untouched."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from geomag.config import load_profile
from geomag.data.benchmarks.registry import read_benchmark
from geomag.data.intake.add import MANIFEST, _track, add, receive
from geomag.errors import (
    AnnotationError,
    ConfigError,
    ImageError,
    ToolError,
    UnsafePathError,
    UnsafePickleError,
)
from geomag.io import read_json
from geomag.versions import path_md5, tracked_tree, tree_md5
from tests.data.conftest import RrsisDrop, RsvqaTree, picture, rrsis_project

SAMPLE = load_profile("sample")


@pytest.fixture
def root(tmp_path):
    return rrsis_project(tmp_path / "project")


@pytest.fixture
def drop(tmp_path):
    return RrsisDrop(tmp_path / "drop").write()


def ids(root, benchmark="rrsis_d"):
    return [r.id for r in read_benchmark(benchmark, root / "data" / benchmark)]


@pytest.mark.integration
def test_f33_a_drop_is_merged_tracked_and_a_no_op_the_second_time(root, drop):
    done = add(drop, "rrsis_d", root, SAMPLE)
    images = "images/rrsisd/JPEGImages"
    assert done.new_files == (f"{images}/00101.jpg", f"{images}/00102.jpg")
    assert done.counts == {"train": 4, "val": 1, "test": 2}
    assert ids(root) == ["7", "11", "23", "31", "40", "101", "102"]
    assert tree_md5(tracked_tree(root)) == path_md5(root / "data")
    before = (root / "data.dvc").read_text()
    again = add(drop, "rrsis_d", root, SAMPLE)
    assert (again.new_files, again.counts) == ((), {})
    assert (root / "data.dvc").read_text() == before
    assert again.folder == done.folder
    assert not list((root / "work" / "incoming").iterdir())


@pytest.mark.integration
def test_f34_a_corrupt_drop_names_the_record_and_leaves_data_as_it_was(root, tmp_path):
    tree = RrsisDrop(tmp_path / "drop")
    tree.instances["annotations"][1]["bbox"] = [6, 0, 3, 9]
    before = path_md5(root / "data")
    command = [sys.executable, "-m", "geomag", "data", "add", str(tree.write())]
    command += ["--benchmark", "rrsis_d"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "annotation 102, bbox: box (6, 0, 3, 9)" in done.stderr
    assert path_md5(root / "data") == before
    assert not (root / "data.dvc").exists()


@pytest.mark.integration
def test_f34_what_only_the_suite_can_see_is_refused_too(root, tmp_path):
    # one picture under two splits: no reader of rows would notice
    tree = RrsisDrop(tmp_path / "drop")
    tree.refs[1].update(split="test", file_name="00101.jpg")
    before = path_md5(root / "data")
    with pytest.raises(AnnotationError, match="in_other_split") as refused:
        add(tree.write(), "rrsis_d", root, SAMPLE)
    report = Path(refused.value.remedy.removeprefix("see "))
    assert report.is_relative_to(root / "work" / "refused")
    assert read_json(report)["is_valid"] is False
    assert path_md5(root / "data") == before


def test_ids_that_are_taken_are_named(root, tmp_path):
    tree = RrsisDrop(tmp_path / "drop")
    tree.refs[0]["ref_id"] = 23
    with pytest.raises(AnnotationError, match=r"1 rows of another content .*: ref_id 23"):
        add(tree.write(), "rrsis_d", root, SAMPLE)


def test_a_category_called_otherwise_is_a_conflict(root, tmp_path):
    tree = RrsisDrop(tmp_path / "drop")
    tree.instances["categories"][13]["name"] = "boat"
    with pytest.raises(AnnotationError, match=r"categories: 1 rows .* id 13"):
        add(tree.write(), "rrsis_d", root, SAMPLE)


@pytest.mark.parametrize("name", ["00007.jpg", "00007.png"])
def test_a_picture_that_would_take_the_place_of_another_is_named(root, drop, name):
    picture(drop / "images" / "rrsisd" / "JPEGImages" / name, seed=5)
    with pytest.raises(AnnotationError, match=rf"1 files of another content .*/{name}"):
        add(drop, "rrsis_d", root, SAMPLE)


def test_f16_a_pickle_with_a_foreign_global_runs_nothing(root, tmp_path):
    tree = RrsisDrop(tmp_path / "drop")
    tree.write()
    canary = tmp_path / "canary"

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(canary),)

    tree.pickle_path.write_bytes(pickle.dumps([Bomb()]))
    with pytest.raises(UnsafePickleError):
        add(tree.root, "rrsis_d", root, SAMPLE)
    assert not canary.exists()


def test_f33_a_picture_that_was_half_copied_is_named_though_its_header_is_whole(root, drop):
    path = drop / "images" / "rrsisd" / "JPEGImages" / "00102.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    before = path_md5(root / "data")
    with pytest.raises(ImageError, match=r"00102\.jpg: cannot be decoded .*truncated"):
        add(drop, "rrsis_d", root, SAMPLE)
    assert path_md5(root / "data") == before


@pytest.mark.integration
def test_what_file_managers_leave_is_not_imagery(root, drop):
    for name in (".DS_Store", "images/._rrsisd", "images/Thumbs.db"):
        (drop / name).write_text("x")
    done = add(drop, "rrsis_d", root, SAMPLE)
    assert len(done.new_files) == 2
    assert not list((root / "data").rglob(".DS_Store"))


def test_f15_a_link_in_a_drop_is_refused(root, drop):
    (drop / "secret.txt").symlink_to("/etc/hostname")
    with pytest.raises(UnsafePathError, match="a link"):
        receive(drop, "rrsis_d", root)
    assert not (root / "incoming").exists()


def test_f33_a_half_copied_drop_is_ignored_and_copied_anew(root, drop):
    folder = receive(drop, "rrsis_d", root)
    (folder / MANIFEST).unlink()  # as a copy that was killed leaves it
    (folder / "rrsisd" / "instances.json").write_text("{")
    assert receive(drop, "rrsis_d", root) == folder
    assert len(read_json(folder / MANIFEST)["files"]) == 4
    assert read_json(folder / "rrsisd" / "instances.json")["annotations"]


@pytest.mark.integration
def test_nothing_changes_under_a_stage_that_reads(root, drop):
    held = {"read": {str(root / "data" / "rrsis_d"): [{"pid": os.getpid(), "cmd": "repro train"}]}}
    lock = root / ".dvc" / "tmp" / "rwlock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(json.dumps(held))
    before = path_md5(root / "data")
    with pytest.raises(ToolError, match=r"in use by 'repro train' .* add the same drop again"):
        add(drop, "rrsis_d", root, SAMPLE)
    assert path_md5(root / "data") == before
    lock.unlink()
    assert add(drop, "rrsis_d", root, SAMPLE).counts["train"] == 4


def test_another_benchmark_is_refused_with_those_there_are(root, drop):
    with pytest.raises(ConfigError, match=r"'eurosat'. Wanted: one of \['aid', 'dior_rsvg', "):
        add(drop, "eurosat", root, SAMPLE)


@pytest.mark.integration
def test_questions_take_the_place_of_stubs_and_the_markers_counts_follow(root, tmp_path):
    base = RsvqaTree(root / "data" / "rsvqa_lr", "LR", "Images_LR", ("train", "val", "test"))
    counts = Counter(r.split for r in read_benchmark("rsvqa_lr", base.root))
    marker = {"benchmark": "rsvqa_lr", "counts": dict(counts), "digest": "x", "seed": 1}
    (base.root / "SAMPLE.json").write_text(json.dumps(marker))
    tree = RsvqaTree(tmp_path / "questions", "LR", "Images_LR", ())
    tree.split("train", 7)  # questions 71, 73, 74 on picture 15; 0 to 70 are stubs
    done = add(tree.root, "rsvqa_lr", root, SAMPLE)
    assert done.counts == {"train": 6, "val": 3, "test": 3}
    assert ids(root, "rsvqa_lr")[:6] == ["1", "3", "4", "71", "73", "74"]
    assert read_json(base.root / "SAMPLE.json")["counts"] == done.counts
    assert done.new_files == ("Images_LR/15.tif",)
    shutil.rmtree(done.folder)
    assert add(tree.root, "rsvqa_lr", root, SAMPLE).counts == {}


@pytest.mark.integration
def test_f28_killed_between_two_files_the_set_is_whole_and_adding_again_ends_it(
    root, drop, tmp_path
):
    ended = tmp_path / "ended"
    shutil.copytree(root, ended)
    add(drop, "rrsis_d", ended, SAMPLE)
    instances = "data/rrsis_d/rrsisd/instances.json"  # published before the refs that need it
    shutil.copyfile(ended / instances, root / instances)
    assert ids(root) == ["7", "11", "23", "31", "40"]
    assert add(drop, "rrsis_d", root, SAMPLE).counts["train"] == 4
    assert path_md5(root / "data") == path_md5(ended / "data")


@pytest.mark.parametrize(
    ("times", "said", "tries"),
    [(2, "'data' is busy", 3), (9, "'data' is busy", 4), (9, "disk quota exceeded", 1)],
)
def test_dvc_is_asked_again_only_while_it_is_busy(tmp_path, monkeypatch, times, said, tries):
    # stands for DVC: `python -m dvc` finds it in the folder where it is run
    code = (
        "import pathlib, sys; log = pathlib.Path('log'); log.open('a').write('x')\n"
        f"sys.exit({said!r} if log.stat().st_size <= {times} else 0)\n"
    )
    (tmp_path / "dvc.py").write_text(code)
    monkeypatch.setattr("geomag.data.intake.add._BUSY_WAITS_S", (0.01, 0.02, 0.03))
    if tries == 3:
        _track(tmp_path)
    else:
        with pytest.raises(ToolError, match=f"dvc add data: {said}"):
            _track(tmp_path)
    assert (tmp_path / "log").read_text() == "x" * tries
