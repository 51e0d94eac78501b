"""Ten kills at random moments, from the training up to the run's own process; the same weights."""

import os
import random
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import dagster as dg
import pytest

from geomag.versions import path_md5, read_lock
from tests.geomag_dagster.executors import small_training
from tests.geomag_dagster.executors.test_gpu import worker
from tests.geomag_dagster.test_supervise import wait_for

pytestmark = pytest.mark.integration

SEED, KILLS, DEADLINE_S = 20, 10, 600
TARGETS = ("training", "dvc", "step", "run worker")


def undisturbed(folder: Path) -> str:
    """DVC's version of the weights of a training that nobody stopped."""
    folder.mkdir()
    (folder / "gate").write_text("")
    subprocess.run([sys.executable, small_training.__file__], cwd=folder, check=True)
    return path_md5(folder / "adapter")


def progress(root: Path) -> list[tuple[int, int]]:
    """``(process, updates done)``, oldest first."""
    path = root / "progress"
    rows = path.read_text().splitlines() if path.exists() else []
    return [(int(row.split()[0]), int(row.split()[1])) for row in rows]


def is_gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def is_at(moment: int, root: Path, run: subprocess.Popen, killed: list[int]) -> bool:
    """Whether a training that is not among the killed has done ``moment`` updates."""
    assert run.poll() is None, "the run ended by itself"
    last = progress(root)[-1:]
    return bool(last) and last[0][0] not in killed and last[0][1] >= moment


def ancestors(pid: int) -> dict[str, int]:
    """The processes above a training, by what they are: DVC, the step."""
    found = {"training": pid}
    while pid > 1:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"dvc" in words and b"geomag_dagster.supervise" not in words:
            found["dvc"] = pid
        if b"execute_step" in words:
            found["step"] = pid
        status = Path(f"/proc/{pid}/status").read_text()
        pid = int(status.partition("PPid:\t")[2].split()[0])
    return found


def left_in(folder: Path) -> list[str]:
    """Command lines of the processes whose working directory is ``folder``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


def endings(home: Path) -> dict[str, str]:
    """What the step ``train`` of the last run in ``home`` said of itself, by kind of event."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        (run,) = instance.get_runs(limit=1)
        events = [log.dagster_event for log in instance.all_logs(run.run_id)]
    return {
        event.event_type_value: event.event_specific_data.error.to_string()
        for event in events
        if event and (event.is_step_failure or event.is_step_up_for_retry)
    }


def test_f28_a_killed_dvc_leaves_nothing_says_so_and_the_next_run_ends_the_same(project, tmp_path):
    wanted = undisturbed(tmp_path / "undisturbed")
    home = tmp_path / "home"
    runner = worker("stage_twice", home)
    killed: list[int] = []
    for moment in (10, 20):
        wait_for(partial(is_at, moment, project, runner, killed), DEADLINE_S)
        processes = ancestors(progress(project)[-1][0])
        os.kill(processes["dvc"], signal.SIGKILL)
        wait_for(partial(is_gone, processes["training"]), DEADLINE_S)
        killed.append(processes["training"])
    assert runner.wait(DEADLINE_S) == 1
    assert left_in(project) == []
    said = endings(home)
    assert set(said) == {"STEP_UP_FOR_RETRY", "STEP_FAILURE"}
    for text in said.values():
        assert "stage train ended with SIGKILL to DVC itself" in text
    assert not (project / "adapter").exists()
    assert read_lock(project) == {}
    # one that does not wait for a lock finds none
    status = [sys.executable, "-m", "dvc", "status"]
    subprocess.run(status, cwd=project, check=True, timeout=DEADLINE_S)
    (project / "gate").write_text("")
    assert worker("stage_twice", home).wait(DEADLINE_S) == 0
    assert endings(home) == {}
    assert path_md5(project / "adapter") == wanted
    assert read_lock(project)["train"]["outs"][0]["md5"] == wanted
    resumed = [done for pid, done in progress(project) if pid not in killed]
    assert resumed[0] > 20 - 4  # from the last checkpoint, not anew


def test_f28_ten_kills_at_random_moments_end_in_the_undisturbed_weights(project, tmp_path):
    wanted = undisturbed(tmp_path / "undisturbed")
    rng = random.Random(SEED)
    moments = sorted(rng.choices(range(1, small_training.STEPS - 5), k=KILLS))
    # each kind twice, the rest as the dice fall
    targets = [*TARGETS, *TARGETS, *rng.choices(TARGETS[:3], k=KILLS - 2 * len(TARGETS))]
    rng.shuffle(targets)
    home = tmp_path / "home"
    runner = worker("stage", home)
    killed: list[int] = []
    for moment, target in zip(moments, targets, strict=True):
        wait_for(partial(is_at, moment, project, runner, killed), DEADLINE_S)
        (pid, _) = progress(project)[-1]
        victim = runner.pid if target == "run worker" else ancestors(pid)[target]
        os.kill(victim, signal.SIGKILL)
        wait_for(partial(is_gone, pid), DEADLINE_S)
        killed.append(pid)
        if target == "run worker":
            assert runner.wait(DEADLINE_S) == -signal.SIGKILL
            runner = worker("stage", home)
    (project / "gate").write_text("")
    assert runner.wait(DEADLINE_S) == 0
    assert len(set(killed)) == KILLS
    assert path_md5(project / "adapter") == wanted
    assert read_lock(project)["train"]["outs"][0]["md5"] == wanted
    firsts = dict(reversed(progress(project)))
    # every attempt went on from a checkpoint: at most four updates were done again
    resumed = list(reversed(firsts.values()))[1:]
    assert all(first > moment - 4 for first, moment in zip(resumed, moments, strict=False))
