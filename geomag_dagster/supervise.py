"""Run a command in a process group that never outlives whoever asked for it.

``python -m geomag_dagster.supervise --log FILE --grace SECONDS [--watch PID] -- COMMAND...``

The command writes to a file, never to a pipe, so a reader that dies cannot break its prints; what
it writes is copied to our own output as it comes. When our parent or the watched process dies, or
we get SIGTERM or SIGINT, the group gets SIGINT, which lets a training save its state, and after
the grace SIGKILL. What a command leaves behind that dies itself, by SIGKILL for one, is ended too.
A GPU lease that we inherited ends with us, hence after the last of the group.
"""

import argparse
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

WATCHED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def die_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM when the process ``parent``, which started us, ends.

    A parent that is gone already leaves us to another one: then we stop at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit(128 + signal.SIGTERM)


def adopt_orphans() -> None:
    """Become the parent of whatever our command leaves behind, so that its end can be waited for.

    A killed training goes on holding its memory, on the GPU too, until the kernel has taken it
    apart; the next one must not start before.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1)


def obey_interrupts() -> None:
    """Take SIGINT as usual again, we and what we start, though a background shell had it ignored.

    A shell without job control starts ``command &`` so, and every child inherits it: a training
    that is told to stop would not hear it, and be killed after the grace with its state unsaved.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a program we start gets SIG_DFL


def supervise(
    command: list[str], *, log: Path, grace_s: float, parent: int, watched: int | None = None
) -> int:
    """Run ``command`` to its end; returns its exit code, 128 + signal if a signal ended it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)  # first: nothing that comes now is lost
    obey_interrupts()
    die_with_parent(parent)
    adopt_orphans()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out, log.open("rb") as seen:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_unblock,
        )
        deadline = None
        while process.poll() is None:
            arrived = signal.sigtimedwait(WATCHED, 0.2)
            _copy(seen)
            told = arrived is not None and arrived.si_signo != signal.SIGCHLD
            if deadline is None and (told or not _exists(watched)):
                deadline = time.monotonic() + grace_s
                _signal_group(process.pid, signal.SIGINT)
            if deadline is not None and time.monotonic() > deadline:
                _signal_group(process.pid, signal.SIGKILL)
        _signal_group(process.pid, signal.SIGKILL)  # what the command left behind
        _await_group(process.pid)
        _copy(seen)
    code = process.returncode
    return 128 - code if code < 0 else code


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)


def _copy(seen: BinaryIO) -> None:
    while chunk := seen.read(1 << 16):
        try:
            os.write(1, chunk)
        except OSError:  # nobody reads us any more; the file has it all
            return


def _exists(process: int | None) -> bool:
    return process is None or Path(f"/proc/{process}").exists()


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def _await_group(group: int) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-group, 0)


def main() -> int:
    """Parse, supervise, pass the exit code on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--grace", type=float, default=60.0)
    parser.add_argument("--parent", type=int, default=os.getppid())
    parser.add_argument("--watch", type=int, default=None)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    command = chosen.command[1:] if chosen.command[:1] == ["--"] else chosen.command
    return supervise(
        command,
        log=chosen.log,
        grace_s=chosen.grace,
        parent=chosen.parent,
        watched=chosen.watch,
    )


if __name__ == "__main__":
    raise SystemExit(main())
