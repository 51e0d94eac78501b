import subprocess
import sys

import pytest

from geomag import versions
from geomag.versions import (
    code_identity,
    dataset_versions,
    path_md5,
    read_lock,
    stage_code,
    tracked_tree,
    tree_md5,
)
from tests.geomag_dagster.toy import make_project

pytestmark = pytest.mark.integration


@pytest.fixture
def project(tmp_path):
    names = ["a", "b"]
    definition = {"cmd": "cp data/${item}/x out_${item}", "deps": ["data/${item}"]}
    definition["outs"] = ["out_${item}"]
    make_project(tmp_path, {"stages": {"s": {"foreach": names, "do": definition}}})
    for name in names:
        for file in ("x", "deep/ä b", "deep/a"):
            path = tmp_path / "data" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name} {file}")
    for arguments in (["add", "data"], ["repro"]):
        command = [sys.executable, "-m", "dvc", *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def test_a_datasets_version_is_what_dvc_records_for_a_stage_that_reads_it(project):
    recorded = {name: read_lock(project)[f"s@{name}"]["deps"][0]["md5"] for name in "ab"}
    assert dataset_versions(project, "ab") == recorded
    assert path_md5(project / "data" / "a") == recorded["a"]
    assert path_md5(project / "out_a") == read_lock(project)["s@a"]["outs"][0]["md5"]


def test_without_the_listing_the_lock_file_answers(project):
    from_tree = dataset_versions(project, "ab")
    pointer = tracked_tree(project)
    assert pointer is not None
    for listing in (project / ".dvc" / "cache").rglob("*.dir"):
        listing.unlink()
    assert tracked_tree(project) is None
    assert dataset_versions(project, ["a", "b", "unknown"]) == from_tree


def test_the_version_of_the_whole_is_in_the_pointer(project):
    tree = tracked_tree(project)
    assert tree is not None
    assert tree_md5(tree) in (project / "data.dvc").read_text()
    assert sorted(path for path, _ in tree if path[0] == "a") == [
        "a/deep/a",
        "a/deep/ä b",
        "a/x",
        "aid/labels.txt",
    ]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of three files, of which the stage `train` names one and a folder."""
    for file in ("train/loop.py", "train/__pycache__/loop.pyc", "io.py", "released/weights"):
        path = tmp_path / "geomag" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)
    deps = ["data/a", "geomag/released", "geomag/train/loop.py"]
    (tmp_path / "dvc.yaml").write_text(f"stages: {{train: {{cmd: true, deps: {deps}}}}}")
    monkeypatch.setattr(versions, "PACKAGE", tmp_path / "geomag")
    return tmp_path


@pytest.mark.parametrize(
    ("edited", "stage", "changes"),
    [
        ("geomag/train/loop.py", "train", True),
        ("geomag/released/weights", "train", True),
        ("geomag/io.py", "train", False),
        ("geomag/train/__pycache__/loop.pyc", "train", False),
        ("geomag/io.py", "of no dvc.yaml", True),
        ("geomag/train/__pycache__/loop.pyc", "of no dvc.yaml", False),
    ],
)
def test_the_digest_of_a_stages_code_follows_the_files_it_names(package, edited, stage, changes):
    before = stage_code(package, stage)
    (package / edited).write_text("edited")
    assert (stage_code(package, stage) != before) is changes


def test_an_identity_of_code_says_at_which_commit_it_is_found(package):
    assert code_identity(package, "train")["commit"] == "none"
    git = ["git", "-C", str(package), "-c", "user.name=t", "-c", "user.email=t@localhost"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *arguments], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    at = head.stdout[:12]
    assert code_identity(package, "train")["commit"] == at
    (package / "dvc.lock").write_text("what the line has recorded")
    subprocess.run([*git, "add", "dvc.lock"], check=True)
    assert code_identity(package, "train")["commit"] == at
    (package / "geomag" / "io.py").write_text("edited")
    assert code_identity(package, "train")["commit"] == f"{at} with uncommitted changes"
