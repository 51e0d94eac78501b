"""Hold GPUs for one step by a lock that the kernel drops with the step, whatever ends it.

``python -m geomag_dagster.executors.lease --gpus 1 --folder DIR --parent PID -- STEP``

Waits for that many devices, all or none, sets ``CUDA_VISIBLE_DEVICES`` and becomes the step. The
locks are inherited by what the step starts and passes them on to (`GEOMAG_LEASE_FDS`), so they
last until a training that was told to stop has saved its state. A step without a GPU sees none.
"""

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from geomag_dagster.supervise import die_with_parent, obey_interrupts

FDS = "GEOMAG_LEASE_FDS"
POLL_S = 0.2


def detect_gpus() -> list[str]:
    """Names of the devices this process may use: ``CUDA_VISIBLE_DEVICES``, else the driver's UUIDs.

    ``GEOMAG_GPUS`` overrides both; it may name devices that do not exist, for tests.
    """
    for variable in ("GEOMAG_GPUS", "CUDA_VISIBLE_DEVICES"):
        if variable in os.environ:
            return [name for name in os.environ[variable].split(",") if name]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    listing = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False).stdout
    found = [
        line.split("UUID: ")[1].rstrip(") ") for line in listing.splitlines() if "UUID" in line
    ]
    # with MIG the slices are listed below their card, and only they can be used
    return [name for name in found if name.startswith("MIG")] or found


def acquire(gpus: Sequence[str], count: int, folder: Path, holder: str) -> dict[str, int]:
    """Wait until ``count`` devices are free at once; returns their names and lock descriptors."""
    folder.mkdir(parents=True, exist_ok=True)
    told = ""
    while len(held := _try(gpus, count, folder)) < count:
        for (
            descriptor
        ) in held.values():  # part of what is needed would block whoever needs the rest
            os.close(descriptor)
        waiting = f"waiting for {count} GPU(s), held by {_holders(gpus, folder)}"
        if waiting != told:
            sys.stderr.write(f"{waiting}\n")
            told = waiting
        time.sleep(POLL_S)
    for name, descriptor in held.items():
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{holder}, pid {os.getpid()}".encode(), 0)
        os.set_inheritable(descriptor, True)
        sys.stderr.write(f"holding GPU {name}\n")
    return held


def _try(gpus: Sequence[str], count: int, folder: Path) -> dict[str, int]:
    held: dict[str, int] = {}
    for name in gpus:
        if len(held) == count:
            break
        descriptor = os.open(_lock_file(folder, name), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held[name] = descriptor
        except BlockingIOError:
            os.close(descriptor)
    return held


def _holders(gpus: Sequence[str], folder: Path) -> str:
    files = [_lock_file(folder, name) for name in gpus]
    texts = {path.read_text() for path in files if path.is_file()}
    return "; ".join(sorted(texts - {""})) or "another process"


def _lock_file(folder: Path, gpu: str) -> Path:
    return folder / f"gpu-{gpu.replace('/', '_')}.lock"


def main() -> None:
    """Take the lease and become the step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gpus", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--holder", default="")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    obey_interrupts()  # Dagster, too, takes SIGTERM for the SIGINT that it was started with
    die_with_parent(chosen.parent)
    held: dict[str, int] = {}
    if chosen.gpus:
        gpus = detect_gpus()
        if chosen.gpus > len(gpus):
            raise SystemExit(
                f"the step asks for {chosen.gpus} GPU(s), this machine has {len(gpus)}"
            )
        held = acquire(gpus, chosen.gpus, chosen.folder, chosen.holder)
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(held)
    os.environ[FDS] = ",".join(map(str, held.values()))
    command = chosen.command[1:] if chosen.command[:1] == ["--"] else chosen.command
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
