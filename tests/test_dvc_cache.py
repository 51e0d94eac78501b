"""Data that DVC links from a cache elsewhere, as teams keep it; real DVC, real links."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from geomag.config import load_profile
from geomag.data.benchmarks.registry import read_benchmark
from geomag.data.intake.add import add
from geomag.dvc_cache import cached_file
from geomag.errors import ConfigError, UnsafePathError
from geomag.io import inside
from geomag.versions import dataset_versions, tracked_tree
from tests.data.conftest import RrsisDrop, rrsis_project

pytestmark = pytest.mark.integration


def dvc(root: Path, *arguments: str) -> None:
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "dvc", "--quiet", *arguments]
    subprocess.run(command, cwd=root, env=environment, check=True)


@pytest.fixture
def project(tmp_path) -> Path:
    """A project whose data are links into a cache outside of it."""
    root = rrsis_project(tmp_path / "project")
    dvc(root, "config", "--local", "cache.dir", "../shared/cache")
    dvc(root, "config", "--local", "cache.type", "symlink")
    dvc(root, "add", "data")
    refs = root / "data" / "rrsis_d" / "rrsisd" / "refs(unc).p"
    assert refs.is_symlink()
    assert refs.resolve().is_relative_to(tmp_path / "shared" / "cache")
    return root


def test_linked_data_are_read_and_their_versions_known(project):
    assert len(list(read_benchmark("rrsis_d", project / "data" / "rrsis_d"))) == 5
    tree = tracked_tree(project)
    assert tree is not None
    assert "rrsis_d/rrsisd/refs(unc).p" in dict(tree)
    assert len(tree) == 7
    assert dataset_versions(project, ["rrsis_d"])["rrsis_d"].endswith(".dir")


def test_new_imagery_is_taken_into_linked_data(project, tmp_path):
    drop = RrsisDrop(tmp_path / "drop").write()
    done = add(drop, "rrsis_d", project, load_profile("sample"))
    assert done.counts == {"train": 4, "val": 1, "test": 2}
    assert len(list(read_benchmark("rrsis_d", project / "data" / "rrsis_d"))) == 7


def test_f15_any_other_link_stays_refused(project, tmp_path):
    data = project / "data" / "rrsis_d"
    (tmp_path / "shared" / "notes.txt").write_text("not DVC's")
    (tmp_path / "shared" / "cache" / "files" / "md5" / "notes.txt").write_text("not DVC's")
    for name, target in {
        "beside": tmp_path / "shared" / "notes.txt",
        "in the cache": tmp_path / "shared" / "cache" / "files" / "md5" / "notes.txt",
        "system": Path("/etc/passwd"),
    }.items():
        (data / name).symlink_to(target)
        with pytest.raises(UnsafePathError, match="follows a link out of the data root"):
            inside(data, name, place="x")


def test_the_levels_of_settings_count_as_they_do_for_dvc(tmp_path, monkeypatch):
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    md5 = "ab" * 16
    places = {
        root / ".dvc" / "config": "../theirs",
        tmp_path / "user" / "config": "/somewhere",
    }
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "user"))
    monkeypatch.setenv("DVC_SYSTEM_CONFIG_DIR", str(tmp_path / "system"))
    tail = Path("files", "md5", "ab", "ab" * 15)
    assert cached_file(root, md5) == root / ".dvc" / "cache" / tail
    for file, place in reversed(places.items()):
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"[core]\n    analytics = false\n[cache]\n    dir = {place}\n")
        assert cached_file(root, md5).resolve() == (file.parent / place / tail).resolve()


def test_broken_settings_of_dvc_are_named(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("no section\n")
    with pytest.raises(ConfigError, match=r"config: not settings of DVC"):
        cached_file(tmp_path, "ab" * 16)
