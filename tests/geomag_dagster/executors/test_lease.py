import os
import subprocess
import sys
import threading

import pytest

from geomag_dagster.executors.lease import acquire, detect_gpus
from tests.geomag_dagster.test_supervise import wait_for


def release(held: dict[str, int]) -> None:
    for descriptor in held.values():
        os.close(descriptor)


def test_two_leases_get_two_devices(tmp_path):
    one = acquire(["a", "b"], 1, tmp_path, "run 1")
    two = acquire(["a", "b"], 1, tmp_path, "run 2")
    assert (set(one), set(two)) == ({"a"}, {"b"})
    assert (tmp_path / "gpu-b.lock").read_text() == f"run 2, pid {os.getpid()}"
    release({**one, **two})


def test_f32_the_second_waits_says_for_whom_and_gets_the_device_when_it_is_free(tmp_path, capfd):
    first = acquire(["a"], 1, tmp_path, "run 1 step train")
    second: dict[str, int] = {}
    waiter = threading.Thread(target=lambda: second.update(acquire(["a"], 1, tmp_path, "run 2")))
    waiter.start()
    said: list[str] = []

    def has_said() -> bool:
        said.append(capfd.readouterr().err)
        return "held by run 1 step train" in "".join(said)

    wait_for(has_said)
    assert second == {}
    release(first)
    waiter.join(30)
    assert list(second) == ["a"]
    release(second)


def test_whoever_needs_two_holds_none_while_it_waits(tmp_path):
    first = acquire(["a", "b"], 1, tmp_path, "run 1")
    both: dict[str, int] = {}
    waiter = threading.Thread(target=lambda: both.update(acquire(["a", "b"], 2, tmp_path, "run 2")))
    waiter.start()
    third = acquire(["a", "b"], 1, tmp_path, "run 3")  # would never return if run 2 kept b
    assert list(third) == ["b"]
    release({**first, **third})
    waiter.join(30)
    assert sorted(both) == ["a", "b"]
    release(both)


def test_a_lease_ends_with_its_process_however_it_ends(tmp_path):
    command = [sys.executable, "-m", "geomag_dagster.executors.lease", "--gpus", "1"]
    command += ["--folder", str(tmp_path), "--parent", str(os.getpid()), "--"]
    step = (
        "import os, pathlib, sys, time;"
        "pathlib.Path(sys.argv[1]).write_text(os.environ['CUDA_VISIBLE_DEVICES']); time.sleep(60)"
    )
    process = subprocess.Popen(
        [*command, sys.executable, "-c", step, str(tmp_path / "seen")],
        env={**os.environ, "GEOMAG_GPUS": "a"},
    )
    wait_for(lambda: (tmp_path / "seen").is_file() and (tmp_path / "seen").read_text())
    assert (tmp_path / "seen").read_text() == "a"
    process.kill()
    process.wait()
    release(acquire(["a"], 1, tmp_path, "next"))


def test_more_gpus_than_there_are_is_refused_at_once(tmp_path):
    command = [sys.executable, "-m", "geomag_dagster.executors.lease", "--gpus", "2"]
    command += ["--folder", str(tmp_path), "--parent", str(os.getpid()), "--", "true"]
    done = subprocess.run(
        command,
        env={**os.environ, "GEOMAG_GPUS": "a"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "the step asks for 2 GPU(s), this machine has 1"


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"GEOMAG_GPUS": "x,y", "CUDA_VISIBLE_DEVICES": "0"}, ["x", "y"]),
        ({"CUDA_VISIBLE_DEVICES": "1,3"}, ["1", "3"]),
        ({"CUDA_VISIBLE_DEVICES": ""}, []),
    ],
)
def test_devices_may_be_named_by_the_environment(monkeypatch, variables, found):
    for name in ("GEOMAG_GPUS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert detect_gpus() == found


def test_the_driver_is_asked_and_mig_slices_win_over_their_card(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\n"
        "echo 'GPU 0: NVIDIA A100 (UUID: GPU-1111)'\n"
        "test -n \"$MIG\" && echo '  MIG 3g.40gb Device 0: (UUID: MIG-2222)'\n"
        "exit 0\n"
    )
    tool.chmod(0o755)
    for name in ("GEOMAG_GPUS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert detect_gpus() == ["GPU-1111"]
    monkeypatch.setenv("MIG", "1")
    assert detect_gpus() == ["MIG-2222"]
