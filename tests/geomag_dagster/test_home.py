"""DAGSTER_HOME as people have it: one for all their projects, a new one, ours."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from geomag.errors import ToolError
from geomag_dagster.home import dagster_home
from geomag_dagster.project import prepare
from tests.geomag_dagster.toy import make_project

ROOT = Path(__file__).parents[2]
FOREIGN = ROOT / "tests" / "cases" / "foreign_dagster.yaml"


@pytest.fixture
def project(tmp_path) -> Path:
    root = make_project(tmp_path / "project")
    shutil.copyfile(ROOT / "dagster.yaml", root / "dagster.yaml")
    return root


@pytest.fixture(autouse=True)
def environment():
    before = dict(os.environ)
    os.environ.pop("DAGSTER_HOME", None)
    yield
    os.environ.clear()
    os.environ.update(before)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.integration
@pytest.mark.parametrize("module", ["geomag_dagster.run", "geomag_dagster.ui"])
def test_settings_of_another_project_are_left_alone_and_the_exit_code_is_2(
    project, tmp_path, module
):
    home = tmp_path / "home"
    home.mkdir()
    shutil.copyfile(FOREIGN, home / "dagster.yaml")
    before = contents(home)
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=project,
        env={**os.environ, "DAGSTER_HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 2, done.stderr
    assert f"DAGSTER_HOME {home}: the dagster.yaml in it is not ours" in done.stderr
    assert "unset DAGSTER_HOME" in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(home) == before


def test_a_home_in_use_without_settings_is_somebody_elses_too(project, tmp_path, monkeypatch):
    (tmp_path / "home" / "history").mkdir(parents=True)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with pytest.raises(ToolError, match="in use, and not by us"):
        dagster_home(project)
    assert contents(tmp_path / "home") == {}


def test_a_new_home_gets_a_copy_that_follows_the_original(project, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "a" / "home"))
    home = dagster_home(project)
    assert home == tmp_path / "a" / "home"
    (project / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    dagster_home(project)
    assert yaml.safe_load((home / "dagster.yaml").read_text()) == {"telemetry": {"enabled": False}}


def test_a_copy_that_was_edited_by_hand_is_not_replaced(project):
    copy = dagster_home(project) / "dagster.yaml"
    edited = copy.read_text() + "storage: {sqlite: {base_dir: elsewhere}}\n"
    copy.write_text(edited)
    with pytest.raises(ToolError, match="this copy was edited"):
        dagster_home(project)
    assert copy.read_text() == edited


def test_the_projects_own_home_of_before_is_brought_up_to_date(project):
    home = project / ".dagster" / "home"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    dagster_home(project)
    kept = yaml.safe_load((home / "dagster.yaml").read_text())
    assert kept == yaml.safe_load((project / "dagster.yaml").read_text())


def test_a_file_in_place_of_the_home_is_named(project, tmp_path, monkeypatch):
    (tmp_path / "home").write_text("")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with pytest.raises(ToolError, match="cannot be used as a folder"):
        dagster_home(project)


def test_a_relative_home_is_exported_as_an_absolute_path(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "home")
    assert dagster_home(project) == tmp_path / "home"
    assert os.environ["DAGSTER_HOME"] == str(tmp_path / "home")


def test_settings_of_a_dvc_project_above_are_left_alone(project):
    inner = project / "inner"
    inner.mkdir()
    before = contents(project)
    with pytest.raises(ToolError, match=r"no \.dvc folder"):
        prepare(inner, ["aid"], profile_source="sample")
    assert contents(project) == before
