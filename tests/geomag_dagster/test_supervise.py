import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SAVES_STATE = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
(folder / "started").write_text("")
try:
    time.sleep(60)
except KeyboardInterrupt:
    (folder / "state").write_text("saved")
    sys.exit(3)
"""
STUBBORN = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
(pathlib.Path(sys.argv[1]) / "started").write_text(str(os.getpid()))
time.sleep(60)
"""


def wait_for(
    condition: Callable[[], object], deadline_s: float = 30, *, every_s: float = 0.02
) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "deadline passed"
        time.sleep(every_s)


def guard(tmp_path: Path, *command: str, grace: float = 20) -> list[str]:
    log = str(tmp_path / "log")
    head = [sys.executable, "-m", "geomag_dagster.supervise", "--log", log, "--grace", str(grace)]
    return [*head, "--", *command]


def ignoring_interrupts(command: list[str]) -> list[str]:
    """The command as a shell without job control starts it in the background."""
    become = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-c", become, *command]


def python(script: str, tmp_path: Path) -> list[str]:
    return [sys.executable, "-c", script, str(tmp_path)]


def test_output_reaches_the_log_and_us_and_the_exit_code_passes(tmp_path):
    script = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"
    done = subprocess.run(
        guard(tmp_path, sys.executable, "-uc", script), capture_output=True, text=True, check=False
    )
    assert done.returncode == 7
    assert done.stdout == "out\nerr\n" == (tmp_path / "log").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_command_is_interrupted_and_may_save(tmp_path, number):
    process = subprocess.Popen(guard(tmp_path, *python(SAVES_STATE, tmp_path)))
    wait_for((tmp_path / "started").exists)
    process.send_signal(number)
    assert process.wait(30) == 3
    assert (tmp_path / "state").read_text() == "saved"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_from_a_background_shell_may_save_too(tmp_path, number):
    command = ignoring_interrupts(guard(tmp_path, *python(SAVES_STATE, tmp_path)))
    process = subprocess.Popen(command)
    wait_for((tmp_path / "started").exists)
    process.send_signal(number)
    assert process.wait(30) == 3
    assert (tmp_path / "state").read_text() == "saved"


def test_a_command_that_ignores_the_interrupt_is_killed_after_the_grace(tmp_path):
    process = subprocess.Popen(guard(tmp_path, *python(STUBBORN, tmp_path), grace=0.3))
    wait_for(lambda: (tmp_path / "started").exists() and (tmp_path / "started").read_text())
    process.terminate()
    assert process.wait(30) == 128 + signal.SIGKILL


def test_f39_a_killed_parent_leaves_no_orphan_and_the_state_is_saved(tmp_path):
    # the parent is a shell of ours that gets SIGKILL, as the kernel's memory killer would send it
    launcher = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    command = guard(tmp_path, *python(SAVES_STATE, tmp_path))
    parent = subprocess.Popen([sys.executable, "-c", launcher, *command])
    wait_for((tmp_path / "started").exists)
    parent.kill()
    parent.wait()
    wait_for((tmp_path / "state").exists)


LEAVES_ONE_BEHIND = """
import os, pathlib, signal, subprocess, sys, time
child = pathlib.Path(sys.argv[1]) / "child"
holds = "import os, pathlib, sys, time; held = b'x' * 2**29; "
tells = "pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", holds + tells, str(child)])
while not (child.exists() and child.read_text()):
    time.sleep(0.01)
os.kill(os.getpid(), int(sys.argv[2]))
"""


@pytest.mark.parametrize("number", [0, signal.SIGKILL])
def test_what_the_command_leaves_behind_is_gone_when_we_are(tmp_path, number):
    # half a gigabyte: the kernel takes a while over it, and a GPU's memory takes longer
    command = [*python(LEAVES_ONE_BEHIND, tmp_path), str(int(number))]
    code = subprocess.run(guard(tmp_path, *command), check=False).returncode
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "child").read_text()), 0)
    assert code == (128 + number if number else 0)
