"""One profile for everything under artifacts/: another is refused before anything is written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from geomag.cli.main import app
from geomag.config import profile_text
from geomag.config.load import load_profile
from geomag.errors import ConfigError
from geomag.line_profile import line_profile, refuse_other_profile

ROOT = Path(__file__).parents[1]
WRITERS = {
    "validate": ["data", "validate", "aid"],
    "leakage": ["data", "leakage"],
    "base": ["train", "base"],
    "granularity": ["train", "granularity"],
    "model": ["train", "model"],
    "crops": ["crops", "rrsis_d"],
    "predict": ["predict", "rrsis_d"],
    "score": ["score", "aid", "artifacts/predictions/aid", "--json", "artifacts/scores/aid.json"],
    "report": ["report"],
    "promote": ["promote"],
}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text("profile: sample\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GEOMAG_PROFILE", raising=False)
    return tmp_path


@pytest.mark.parametrize("verb", WRITERS.values(), ids=WRITERS)
def test_a_verb_that_writes_under_artifacts_refuses_the_variable(
    project, monkeypatch, verb, capsys
):
    monkeypatch.setenv("GEOMAG_PROFILE", "paper")
    before = sorted(project.rglob("*"))
    done = CliRunner().invoke(app, verb)
    assert isinstance(done.exception, ConfigError), done.output
    said = str(done.exception)
    assert f"GEOMAG_PROFILE paper: `profile: sample` in {project / 'params.yaml'}" in said
    assert "write `profile: paper` into params.yaml, or unset GEOMAG_PROFILE" in said
    assert sorted(project.rglob("*")) == before


def test_verbs_that_only_read_take_either(project, monkeypatch):
    monkeypatch.setenv("GEOMAG_PROFILE", "paper")
    for verb, said in ((["doctor"], "profile paper"), (["data", "check", "aid"], "aid: BROKEN")):
        done = CliRunner().invoke(app, verb)
        assert isinstance(done.exception, SystemExit)  # there is neither data nor weights
        assert done.output.startswith(said)


def test_the_option_is_held_against_the_line_too(project):
    with pytest.raises(ConfigError, match=r"--profile paper: .*or leave --profile away"):
        line_profile("paper")
    assert line_profile("sample").name == "sample"


def test_a_name_and_the_path_of_its_file_are_one_profile(project, monkeypatch):
    own = project / "own.yaml"
    own.write_text(profile_text(load_profile("sample")))
    (project / "params.yaml").write_text("profile: own.yaml\n")
    monkeypatch.setenv("GEOMAG_PROFILE", str(own))
    refuse_other_profile(project)
    monkeypatch.setenv("GEOMAG_PROFILE", "sample")
    with pytest.raises(ConfigError, match=r"GEOMAG_PROFILE sample: `profile: own\.yaml`"):
        refuse_other_profile(project)


def test_a_folder_without_a_line_takes_any(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOMAG_PROFILE", "paper")
    refuse_other_profile(tmp_path)
    (tmp_path / "params.yaml").write_text("benchmarks: [aid]\n")
    refuse_other_profile(tmp_path)


@pytest.mark.integration
def test_a_stage_that_dvc_runs_ends_with_2_and_the_message(project):
    (project / "dvc.yaml").write_text(
        "stages:\n  leakage: {cmd: python -m geomag data leakage, outs: [artifacts/leakage]}\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT), "GEOMAG_PROFILE": "paper"}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    quiet = {"cwd": project, "env": env, "capture_output": True, "text": True, "check": False}
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], **quiet)
    done = subprocess.run([sys.executable, "-m", "dvc", "repro"], **quiet)
    assert done.returncode != 0
    assert "GEOMAG_PROFILE paper: `profile: sample`" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "artifacts").exists()
