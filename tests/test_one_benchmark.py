"""RRSIS-D alone: chosen by one command, then run by DVC and by Dagster."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from geomag.cli.main import app
from geomag.config import load_profile
from geomag.config.load import PROFILES_DIR
from geomag.data.benchmarks import BENCHMARKS
from geomag.data.benchmarks.table import discovered
from geomag.errors import ConfigError
from geomag.line_choice import choose, params_text, refuse_other_benchmarks
from geomag_dagster.naming import benchmarks_of
from geomag_dagster.stages import feeders, read_stages
from tests.line.project import Project, make_project

ROOT = Path(__file__).parents[1]
ALONE = [
    "validate@rrsis_d", "leakage", "base", "granularity", "crops@rrsis_d", "train",
    "predict@rrsis_d-magcrop", "predict@rrsis_d-plain", "score@rrsis_d", "report",
]  # fmt: skip


@pytest.fixture
def project(tmp_path) -> Path:
    """The line's two files, and the paper's settings as a profile of its own."""
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copy(PROFILES_DIR / "paper.yaml", tmp_path / "mine.yaml")
    return tmp_path


def test_params_are_what_choose_writes_over_all(project):
    assert params_text("sample", list(discovered().values())) == (ROOT / "params.yaml").read_text()


def test_the_line_names_no_other_benchmark(project, monkeypatch):
    monkeypatch.chdir(project)
    done = CliRunner().invoke(app, ["choose", "rrsis_d", "--profile", "mine.yaml"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("the line is about rrsis_d\nnot chosen: refsegrs, ")
    stages = read_stages(project)
    assert list(stages) == ALONE
    assert benchmarks_of(stages) == ["rrsis_d"]
    assert feeders(stages)["train"] == {"validate@rrsis_d", "crops@rrsis_d", "base", "granularity"}
    for stage in stages.values():
        assert len(set(stage.deps)) == len(stage.deps), "DVC takes no path twice"
        for path in map(Path, (*stage.deps, *stage.outs)):
            named = set(path.parts) & (set(BENCHMARKS) - {"rrsis_d"})
            assert not named or (path.parts[0] == "geomag" and (ROOT / path).is_file())
    assert load_profile("mine.yaml").benchmarks == ("rrsis_d",)


def test_all_brings_back_the_file_as_it_was(project):
    before = (project / "mine.yaml").read_text()
    choose(project, "mine.yaml", ["aid", "rsvqa_lr"])
    assert "\nbenchmarks: [aid, rsvqa_lr]\n" in (project / "mine.yaml").read_text()
    chosen = choose(project, "mine.yaml", ["rsvqa_hr"])
    assert [one.name for one in chosen] == ["rsvqa_hr"]
    choose(project, "mine.yaml", [])
    assert (project / "mine.yaml").read_text() == before
    every = (ROOT / "params.yaml").read_text().replace("profile: sample", "profile: mine.yaml")
    assert (project / "params.yaml").read_text() == every


def test_a_block_list_is_replaced_and_an_unknown_name_changes_nothing(project):
    file = project / "mine.yaml"
    file.write_text("name: mine\nbenchmarks:\n  - aid\n  - rrsis_d\ndevice: cpu\n")
    with pytest.raises(ConfigError, match="benchmarks: aids"):
        choose(project, "mine.yaml", ["aids"])
    choose(project, "mine.yaml", None)
    assert yaml.safe_load((project / "params.yaml").read_text())["benchmarks"] == ["rrsis_d", "aid"]
    choose(project, "mine.yaml", ["refsegrs"])
    assert file.read_text() == "name: mine\nbenchmarks: [refsegrs]\ndevice: cpu\n"


def test_another_list_than_the_profile_s_is_refused_with_the_way_out(project):
    (project / "mine.yaml").write_text("name: mine\nbenchmarks: [rrsis_d]\n")
    with pytest.raises(ConfigError) as refused:
        refuse_other_benchmarks(project, "mine.yaml")
    assert str(refused.value) == (
        f"{project / 'params.yaml'}, benchmarks: {', '.join(BENCHMARKS)}. Wanted: those that "
        "profile mine.yaml chooses: rrsis_d. Remedy: run `geomag choose`, which writes "
        "params.yaml over the profile's choice"
    )
    choose(project, "mine.yaml", None)
    refuse_other_benchmarks(project, "mine.yaml")


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Project:
    """A clone that has chosen RRSIS-D, whose models DVC has made in a shell."""
    made = make_project(tmp_path_factory.mktemp("alone") / "geomag")
    made.python("-m", "geomag", "choose", "rrsis_d")
    made.python("-m", "geomag", "data", "sample", "--benchmark", "rrsis_d")
    made.dvc("config", "--local", "core.no_scm", "true")
    made.dvc("add", "data")
    made.dvc("repro", "train")
    return made


@pytest.mark.integration
def test_it_runs_by_dvc_and_dagster_goes_on_from_there(alone):
    steps = alone.run_line()
    made_by_dvc = {"validate rrsis_d", "base", "granularity", "crops rrsis_d", "train"}
    assert {name for name, how in steps.items() if how == "current"} == made_by_dvc
    assert {name for name, how in steps.items() if how == "done"} == {
        "leakage", "predict rrsis_d magcrop", "predict rrsis_d plain", "score rrsis_d", "report",
    }  # fmt: skip
    assert "Data and pipelines are up to date" in alone.dvc("repro")
    assert "data/rrsis_d" in alone.dagster_versions()
    assert not [name for name in alone.dagster_versions() if "aid" in name]
    assert [path.name for path in (alone.root / "data").iterdir()] == ["rrsis_d"]
    tables = (alone.root / "artifacts" / "report" / "tables.md").read_text()
    assert "Table 1, ours" in tables
    assert tables.count("Not chosen.") == 5


@pytest.mark.integration
def test_doctor_calls_the_others_not_chosen(alone):
    done = subprocess.run(
        [sys.executable, "-m", "geomag", "doctor"],
        cwd=alone.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "not chosen: refsegrs, geopixeld" in done.stdout
    assert "missing" not in done.stdout.replace("missing as", "")
