import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from geomag.cli.main import app
from geomag.config import load_profile, override
from geomag.data.benchmarks import BENCHMARKS
from geomag.doctor import Level, data, device, examine, java, weights


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GEOMAG_PROFILE", raising=False)
    return tmp_path


def gpu(monkeypatch, tmp_path, mib: int) -> None:
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir(exist_ok=True)
    tool.write_text(f"#!/bin/sh\necho 'NVIDIA A100, {mib}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")


def test_the_sample_lacks_nothing_but_its_data_here(project):
    findings = {finding.what: finding for finding in examine(load_profile("sample"), project)}
    assert findings["torch"].level is Level.OK
    assert findings["data"].level is Level.WARN
    assert findings["data"].remedy == "geomag data sample"


@pytest.mark.parametrize(
    ("mib", "level"), [(81920, Level.OK), (32768, Level.WARN), (16384, Level.FAIL)]
)
def test_the_paper_profile_needs_a_large_gpu(project, monkeypatch, mib, level):
    gpu(monkeypatch, project, mib)
    finding = device(load_profile("paper"))
    assert finding.level is level
    assert f"NVIDIA A100 {mib // 1024} GiB" in finding.found


def test_missing_weights_are_named_with_the_setting_that_asks_for_them(project):
    (project / "models" / "bert-base-uncased").mkdir(parents=True)
    found = {finding.what: finding for finding in weights(load_profile("paper"), project)}
    assert found["text_encoder"].level is Level.OK
    assert found["vlm"].level is Level.FAIL
    assert "set vlm.path" in found["vlm"].remedy


def test_data_that_dvc_does_not_know_is_a_warning(project):
    for name in BENCHMARKS:
        (project / "data" / name).mkdir(parents=True)
    (finding,) = data(override(load_profile("sample")), project)
    assert (finding.level, finding.remedy) == (Level.WARN, "dvc add data")


def test_f27_without_java_meteor_is_missing_and_the_rest_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = java()
    assert finding.level is Level.WARN
    assert "METEOR" in finding.found


def test_the_command_ends_with_2_when_the_profile_cannot_run(project):
    done = CliRunner().invoke(app, ["doctor", "--profile", "paper"])
    assert done.exit_code == 2
    assert "models/llava-1.5-7b-hf is missing" in done.output
    assert CliRunner().invoke(app, ["doctor", "--profile", "sample"]).exit_code == 0
