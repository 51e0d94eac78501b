import subprocess
import sys

import pytest

from geomag.versions import dataset_versions, path_md5, read_lock, tracked_tree, tree_md5
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
