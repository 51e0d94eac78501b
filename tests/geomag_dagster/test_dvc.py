import os
import signal
import subprocess
import sys
import threading

import dagster as dg
import pytest
import yaml

from geomag.progress import Progress
from geomag_dagster import dvc
from geomag_dagster.dvc import stage_env
from geomag_dagster.inputs import differing, snapshot
from tests.geomag_dagster.test_supervise import wait_for
from tests.geomag_dagster.toy import one_stage

pytestmark = pytest.mark.integration

RECORDS = {
    "cmd": "python tool.py records data/aid/labels.txt out",
    "deps": ["data/aid", "tool.py"],
    "outs": ["out"],
}
HEARS = "signal.signal(signal.SIGINT, signal.default_int_handler)"
WAIT = {"cmd": "python tool.py wait started gate out", "deps": ["data/aid"], "outs": ["out"]}


def test_a_stage_runs_once_and_its_version_is_what_dvc_recorded(tmp_path):
    stage, runner = one_stage(tmp_path, **RECORDS)
    first, second = runner.run(stage), runner.run(stage)
    locked = yaml.safe_load((tmp_path / "dvc.lock").read_text())["stages"]["work"]["outs"]
    assert first.versions == {"out": locked[0]["md5"]} == second.versions
    assert (first.ran, second.ran) == (True, False)


def test_a_stage_tells_how_far_it_is_while_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(dvc, "TELL_EVERY_S", 0.1)
    line = Progress("train", 620, 1600, "9 s", "loss 1.2").line
    cmd = "cat said && sleep 1 && echo done > out"
    stage, runner = one_stage(tmp_path, cmd=cmd, outs=["out"])
    (tmp_path / "said").write_text(line + "\n")
    told: list[str] = []
    runner.run(stage, tell=told.append)
    assert told == [line]


def test_another_profile_than_the_line_s_is_refused_though_the_stage_is_up_to_date(
    tmp_path, monkeypatch
):
    stage, runner = one_stage(tmp_path, **RECORDS)
    runner.run(stage)
    (tmp_path / "params.yaml").write_text("profile: sample\n")
    monkeypatch.setenv("GEOMAG_PROFILE", "paper")
    with pytest.raises(
        dg.Failure, match=r"GEOMAG_PROFILE paper: `profile: sample` in .*params"
    ) as one:
        runner.run(stage)
    assert not one.value.allow_retries
    monkeypatch.setenv("GEOMAG_PROFILE", "sample")
    assert not runner.run(stage).ran


def test_changed_data_runs_the_stage_again_with_another_version(tmp_path):
    stage, runner = one_stage(tmp_path, **RECORDS)
    before = runner.run(stage)
    (tmp_path / "data" / "aid" / "labels.txt").write_text("a port")
    after = runner.run(stage)
    assert after.ran
    assert after.version != before.version


def test_a_failed_command_is_reported_with_its_last_lines_and_its_log(tmp_path):
    stage, runner = one_stage(tmp_path, cmd="python tool.py fail", outs=["out"])
    with pytest.raises(dg.Failure, match="the reason why") as failure:
        runner.run(stage)
    assert "exit code" in str(failure.value.description)
    assert failure.value.metadata["log"].value == str(tmp_path / "work/logs/work.log")


def test_an_input_edited_during_the_run_fails_it_and_forces_the_next(tmp_path):
    # DVC alone records the new labels as what the result came from (treeverse/dvc#11058)
    stage, runner = one_stage(tmp_path, **WAIT)

    def edit() -> None:
        wait_for((tmp_path / "started").exists)
        (tmp_path / "data" / "aid" / "labels.txt").write_text("edited meanwhile")
        (tmp_path / "gate").write_text("")

    editor = threading.Thread(target=edit)
    editor.start()
    with pytest.raises(dg.Failure, match="data/aid changed while work ran"):
        runner.run(stage)
    editor.join()
    assert runner.run(stage).ran  # though dvc.lock says that nothing has changed
    assert not runner.run(stage).ran


def test_a_path_in_use_by_another_command_is_tried_again_later(tmp_path):
    stage, runner = one_stage(tmp_path, **WAIT)
    command = [sys.executable, "-m", "dvc", "repro", "work"]
    environment = {**os.environ, **stage_env()}
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as other:
        wait_for((tmp_path / "started").exists)
        with pytest.raises(dg.RetryRequested) as again:
            runner.run(stage)
        (tmp_path / "gate").write_text("")
        assert other.wait(60) == 0
    assert again.value.seconds_to_wait == 0.2
    assert not runner.run(stage).ran


def test_an_interrupt_stops_the_stage_in_order(tmp_path):
    stage, runner = one_stage(tmp_path, **WAIT)
    code = (
        "from tests.geomag_dagster.toy import DvcResource, read_stages;"
        "from pathlib import Path; import sys; root = sys.argv[1];"
        "DvcResource(root=root, grace_s=5).run(read_stages(Path(root))['work'])"
    )
    # stands for a step of Dagster's, which handles SIGINT even where our own start had it ignored
    process = subprocess.Popen(
        [sys.executable, "-c", f"import signal; {HEARS}; {code}", str(tmp_path)]
    )
    wait_for((tmp_path / "started").exists)
    process.send_signal(signal.SIGINT)
    process.wait(30)
    (tmp_path / "started").unlink()
    # its lock is free and its command gone: the same stage runs at once, to its end
    (tmp_path / "gate").write_text("")
    assert runner.run(stage).ran


def test_stages_at_once_are_all_recorded(tmp_path):
    # without --wait-for-lock a finished stage is lost to DVC's three seconds (treeverse/dvc#10465)
    from geomag_dagster.dvc import DvcResource
    from geomag_dagster.stages import read_stages
    from tests.geomag_dagster.toy import make_project

    names = [f"s{i}" for i in range(4)]
    definition = {
        "cmd": "python tool.py records data/aid/labels.txt out/${item}",
        "outs": ["out/${item}"],
    }
    make_project(tmp_path, {"stages": {"many": {"foreach": names, "do": definition}}})
    runner, stages = DvcResource(root=str(tmp_path)), read_stages(tmp_path)
    failures: list[BaseException] = []

    def run(name: str) -> None:
        try:
            runner.run(stages[name])
        except dg.Failure as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(f"many@{name}",)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    locked = yaml.safe_load((tmp_path / "dvc.lock").read_text())["stages"]
    assert set(locked) == {f"many@{name}" for name in names}


def test_a_snapshot_sees_files_by_content_and_folders_by_listing(tmp_path):
    (tmp_path / "code.py").write_text("x = 1")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").write_bytes(b"1")
    before = snapshot(tmp_path, ["code.py", "data", "absent"])
    os.utime(tmp_path / "code.py", (1, 1))  # touched, the same: no edit
    (tmp_path / "data" / "b.png").write_bytes(b"")
    assert differing(before, snapshot(tmp_path, ["code.py", "data", "absent"])) == ["data"]


def test_a_lock_file_that_is_being_rewritten_is_read_again(tmp_path):
    stage, runner = one_stage(tmp_path, **RECORDS)
    lock = tmp_path / "dvc.lock"
    lock.write_text("stages: {work: [")
    whole = "stages: {work: {outs: [{path: out, md5: ab}]}}"
    writer = threading.Timer(0.3, lock.write_text, [whole])
    writer.start()
    assert runner.versions(stage) == {"out": "ab"}
    writer.join()
