import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import dagster as dg
import pytest

from geomag_dagster.executors.lease import acquire
from tests.geomag_dagster.executors import steps
from tests.geomag_dagster.test_supervise import wait_for

pytestmark = pytest.mark.integration

DEADLINE_S = 120


@pytest.fixture
def meeting(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(steps.FOLDER, str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    return tmp_path


def run(job) -> dg.JobExecutionResult:
    with dg.instance_for_test() as instance:
        return dg.execute_job(dg.reconstructable(job), instance)


def worker(job: str, home: Path) -> subprocess.Popen:
    """A run worker of its own, as the daemon starts one."""
    home.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.geomag_dagster.executors.steps", job]
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def test_f32_two_steps_on_one_gpu_never_overlap(meeting, monkeypatch):
    monkeypatch.setenv("GEOMAG_GPUS", "only")
    assert run(steps.exclusive).success
    devices = {(meeting / name).read_text().split()[0] for name in ("first", "second")}
    assert devices == {"only"}


def test_two_gpus_two_devices_and_a_cpu_step_sees_none(meeting, monkeypatch):
    monkeypatch.setenv("GEOMAG_GPUS", "a,b")
    assert run(steps.together).success
    devices = {(meeting / name).read_text().split()[0] for name in ("left", "right")}
    assert devices == {"a", "b"}
    assert (meeting / "on_cpu").read_text() == " 1"


def test_a_step_that_needs_two_waits_for_the_busy_one_without_a_deadlock(meeting, monkeypatch):
    monkeypatch.setenv("GEOMAG_GPUS", "a,b")
    with dg.instance_for_test() as instance:

        def release() -> None:
            logs = Path(instance.root_directory) / "steps"

            def is_waiting() -> bool:
                one_started = (meeting / "one").exists()
                return one_started and any(
                    "waiting for 2 GPU(s)" in log.read_text() for log in logs.glob("*/two.log")
                )

            # `two` may have been first and be done already: then nobody waits
            wait_for(lambda: is_waiting() or (meeting / "two").exists(), DEADLINE_S)
            (meeting / "other is waiting").write_text("")

        releaser = threading.Thread(target=release)
        releaser.start()
        assert dg.execute_job(dg.reconstructable(steps.both_or_none), instance).success
        releaser.join()
    assert sorted((meeting / "two").read_text().split()[0].split(",")) == ["a", "b"]


def test_a_killed_step_is_tried_again_and_finds_the_gpu_free(meeting, monkeypatch):
    monkeypatch.setenv("GEOMAG_GPUS", "a")

    def kill() -> None:
        pid = meeting / "pid"
        wait_for(lambda: pid.exists() and pid.read_text(), DEADLINE_S)
        os.kill(int(pid.read_text()), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with dg.instance_for_test() as instance:
        result = dg.execute_job(dg.reconstructable(steps.killed_once), instance)
        assert result.success
        kinds = [event.event_type for event in result.all_events if event.step_key == "victim"]
        retry = next(e for e in result.all_events if e.is_step_up_for_retry)
        assert "signal SIGKILL" in retry.step_retry_data.error.message
    killer.join()
    assert kinds.count(dg.DagsterEventType.STEP_WORKER_STARTING) == 2
    assert (meeting / "second attempt").read_text().split()[0] == "a"


def test_a_step_that_asks_for_more_than_there_is_fails_with_the_reason(meeting, monkeypatch):
    monkeypatch.setenv("GEOMAG_GPUS", "a")
    (meeting / "other is waiting").write_text("")
    with dg.instance_for_test() as instance:
        result = dg.execute_job(dg.reconstructable(steps.both_or_none), instance)
        failed = [event for event in result.all_events if event.is_step_failure]
        assert [event.step_key for event in failed] == ["two"]
        message = failed[0].step_failure_data.error.message
        assert "the step asks for 2 GPU(s), this machine has 1" in message


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_f39_a_run_that_dies_leaves_no_orphan_saves_its_state_and_is_resumed(
    meeting, monkeypatch, tmp_path_factory, number
):
    # SIGKILL is a crash of the run worker, SIGTERM is "Terminate" in the UI
    monkeypatch.setenv("GEOMAG_GPUS", "a")
    home = tmp_path_factory.mktemp("home")
    process = worker("training", home)
    wait_for((meeting / "working").exists, DEADLINE_S)
    process.send_signal(number)
    process.wait(DEADLINE_S)
    wait_for((meeting / "state").exists, DEADLINE_S)
    held = acquire(["a"], 1, home / "leases", "the test")  # returns once the training is gone
    os.close(held["a"])
    assert worker("training", home).wait(DEADLINE_S) == 0
    assert (meeting / "resumed").exists()
