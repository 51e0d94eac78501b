"""The machine itself: Python, packages, Java, main memory, disk."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from geomag.config import Profile
from geomag.doctor.finding import Finding, Level

GIB = 2**30
DISK_GIB = {"sample": 2, "downloads": 120}
"""Free space the line needs; the ten downloads alone are about 100 GB."""
RAM_GIB = {"sample": 3, "downloads": 32}


def python() -> Finding:
    """Versions that the pins resolve for."""
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        return Finding(Level.OK, "python", version)
    return Finding(Level.FAIL, "python", version, "make setup PYTHON3=python3.12 (3.11 to 3.13)")


def packages() -> Iterator[Finding]:
    """The packages whose absence or version breaks others in a way that is hard to see."""
    for name in ("torch", "transformers", "dagster", "dvc", "mlflow", "great-expectations", "sam2"):
        version = _version(name)
        level = Level.OK if version else Level.FAIL
        yield Finding(level, name, version or "not installed", "" if version else "make setup")
    antlr = _version("antlr4-python3-runtime") or "0"
    if not antlr.startswith("4.13"):
        remedy = "pip install 'antlr4-python3-runtime>=4.13.2,<4.14'"
        yield Finding(Level.FAIL, "antlr4", f"{antlr} breaks Dagster's selections", remedy)
    if _version("torchvision") and "+cpu" in (_version("torch") or ""):
        yield Finding(
            Level.FAIL,
            "torchvision",
            "cannot be imported beside the CPU build of torch, and takes transformers with it",
            "pip uninstall torchvision",
        )


def java() -> Finding:
    """METEOR and the PTB tokenizer are Java programs."""
    path = shutil.which("java")
    if path is None:
        remedy = "apt-get install default-jre-headless"
        return Finding(Level.WARN, "java", "absent: METEOR is reported as missing", remedy)
    done = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)
    return Finding(Level.OK, "java", (done.stderr or done.stdout).partition("\n")[0])


def memory(profile: Profile) -> Finding:
    """Main memory."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return _at_least(total, RAM_GIB[profile.data.source], "memory", "GEOMAG_SLOTS=1 needs least")


def disk(profile: Profile, root: Path) -> Finding:
    """Free space where the project lies."""
    free = shutil.disk_usage(root).free / GIB
    return _at_least(free, DISK_GIB[profile.data.source], "disk", f"make space under {root}")


def _at_least(gib: float, need: int, what: str, remedy: str) -> Finding:
    if gib >= need:
        return Finding(Level.OK, what, f"{gib:.0f} GiB")
    return Finding(Level.FAIL, what, f"{gib:.1f} GiB, {need} are needed", remedy)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
