import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from geomag.data.benchmarks import BENCHMARKS
from geomag.versions import read_lock
from geomag_dagster.project import known_version, prepare
from tests.geomag_dagster.test_supervise import wait_for
from tests.geomag_dagster.toy import LINE, make_project

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


def command(root: Path) -> dict:
    """How `make sample` starts, but on a toy line."""
    environment = {k: v for k, v in os.environ.items() if k not in ("DAGSTER_HOME", "PYTHONPATH")}
    return {
        "args": [sys.executable, "-m", "geomag_dagster.run"],
        "cwd": root,
        "env": {**environment, "PYTHONPATH": str(ROOT)},
        "text": True,
    }


@pytest.fixture
def line(tmp_path) -> Path:
    make_project(tmp_path)
    for name in BENCHMARKS:
        (tmp_path / "data" / name).mkdir(exist_ok=True)
        (tmp_path / "data" / name / "labels.txt").write_text(f"a scene of {name}")
    return tmp_path


def test_one_command_makes_the_line_and_the_next_finds_nothing_to_do(line):
    first = subprocess.run(**command(line), capture_output=True, check=True)
    assert "done    train" in first.stdout
    assert "aid test, magcrop: 38 records" in first.stdout
    second = subprocess.run(**command(line), capture_output=True, check=True)
    steps = [row.split()[0] for row in second.stdout.splitlines() if row.startswith("  ")]
    assert steps == ["current"] * 3
    with dg.DagsterInstance.from_config(str(line / ".dagster" / "home")) as instance:
        locked = read_lock(line)["score@aid"]["outs"][0]["md5"]
        assert known_version(instance, dg.AssetKey(["scores", "aid"])) == locked
        assert known_version(instance, dg.AssetKey(["data", "aid"]))
        assert not known_version(instance, dg.AssetKey(["data", "resisc45"]))  # no stage reads it
        assert len(instance.get_runs()) == 2
    dvc = [sys.executable, "-m", "dvc", "repro"]
    done = subprocess.run(dvc, cwd=line, capture_output=True, text=True, check=True)
    assert "Data and pipelines are up to date" in done.stdout


def test_a_failed_stage_is_named_with_its_own_words_and_the_exit_code_is_1(line):
    (line / "data" / "aid" / "labels.txt").write_text("bad, refused")
    done = subprocess.run(**command(line), capture_output=True, check=False)
    assert done.returncode == 1
    assert "FAILED  validate aid" in done.stdout
    assert "records refused" in done.stdout
    assert "Traceback" not in done.stdout


def test_retraining_goes_through_to_the_gate_and_says_what_it_said(line):
    job = command(line)
    job["args"].append("retrain")
    done = subprocess.run(**job, capture_output=True, check=False)
    assert "done    score aid" in done.stdout
    assert "done    model candidate" in done.stdout
    assert "FAILED  model champion" in done.stdout  # a toy predicts nothing
    assert "no predictions. Remedy: run dvc repro" in done.stdout
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)


@pytest.fixture
def waiting(tmp_path) -> Path:
    """A line of one stage that waits for a file nobody writes."""
    stage = {"cmd": "python tool.py wait started gate artifacts/models/base"}
    stage["outs"] = ["artifacts/models/base"]
    return make_project(tmp_path / "waits", {**LINE, "stages": {"base": stage}})


def test_ctrl_c_says_that_what_is_done_stays_and_how_to_go_on(waiting):
    process = subprocess.Popen(
        **command(waiting),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for((waiting / "started").exists, 120)
    os.killpg(process.pid, signal.SIGINT)  # a terminal tells all of the group
    said, why = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGINT
    assert "  stopped base: what it had begun is begun again" in said.splitlines()
    assert "FAILED" not in said
    assert why.splitlines()[-1].startswith("Stopped. What is done stays; run the same command")
    assert "Traceback" not in said


def test_f39_a_killed_run_leaves_no_orphan_stage(waiting):
    root = waiting
    process = subprocess.Popen(**command(root), stdout=subprocess.DEVNULL)
    wait_for((root / "started").exists, 120)
    process.send_signal(signal.SIGKILL)
    process.wait()

    def has_stopped() -> bool:
        # the supervisor's log ends with DVC's word on the command it saw interrupted
        log = root / "work" / "logs" / "base.log"
        return "failed to reproduce" in log.read_text() or "Interrupted" in log.read_text()

    wait_for(has_stopped, 120)
    assert not (root / "artifacts" / "models" / "base").exists()


def test_a_profile_with_downloads_is_told_which_are_missing(tmp_path):
    make_project(tmp_path)
    with pytest.raises(Exception, match=r"no rrsis_d, .*geomag data check"):
        prepare(tmp_path, BENCHMARKS, profile_source="downloads")
