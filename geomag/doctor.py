"""What this machine can run, told before hours are spent: tools, device, data, weights."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from geomag.config import Profile
from geomag.data.benchmarks import BENCHMARKS
from geomag.errors import WeightsError
from geomag.manifest import SCHEME, resolve_path
from geomag.versions import dataset_versions

GIB = 2**30
GPU_GIB = (24, 40)
"""Below the first a 7B model in bfloat16 with its training state does not fit; below the second
lower ``train.micro_batch``."""
DISK_GIB = {"sample": 2, "downloads": 120}
"""Free space the line needs; the ten downloads alone are about 100 GB."""
RAM_GIB = {"sample": 3, "downloads": 32}


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    """The chosen profile cannot run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: Level
    what: str
    found: str
    remedy: str = ""


def examine(profile: Profile, root: Path) -> Iterator[Finding]:
    """Look at everything the profile needs; nothing is changed and no heavy library is imported."""
    yield python()
    yield from packages()
    yield java()
    yield device(profile)
    yield memory(profile)
    yield disk(profile, root)
    yield from data(profile, root)
    yield from weights(profile, root)
    yield from repository(root)


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


def device(profile: Profile) -> Finding:
    """The GPU, asked of the driver."""
    gpus = _gpus()
    best = max((gib for _, gib in gpus), default=0.0)
    found = ", ".join(f"{name} {gib:.0f} GiB" for name, gib in gpus) or "no GPU"
    if profile.device != "cuda":
        return Finding(Level.OK, "device", f"{os.cpu_count()} cores, {found}")
    if best >= GPU_GIB[1]:
        return Finding(Level.OK, "device", found)
    level = Level.WARN if best >= GPU_GIB[0] else Level.FAIL
    remedy = f"{GPU_GIB[1]} GiB for profile {profile.name}; with less lower train.micro_batch"
    return Finding(level, "device", found, remedy)


def memory(profile: Profile) -> Finding:
    """Main memory."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return _at_least(total, RAM_GIB[profile.data.source], "memory", "GEOMAG_SLOTS=1 needs least")


def disk(profile: Profile, root: Path) -> Finding:
    """Free space where the project lies."""
    free = shutil.disk_usage(root).free / GIB
    return _at_least(free, DISK_GIB[profile.data.source], "disk", f"make space under {root}")


def data(profile: Profile, root: Path) -> Iterator[Finding]:
    """The ten trees are there and known to DVC; `geomag data check` says if they are whole."""
    missing = [name for name in BENCHMARKS if not (root / "data" / name).is_dir()]
    if missing:
        can_draw = profile.data.source == "sample"
        remedy = "geomag data sample" if can_draw else "geomag data check, then dvc add data"
        level = Level.WARN if can_draw else Level.FAIL
        yield Finding(level, "data", f"missing: {', '.join(missing)}", remedy)
        return
    untracked = set(BENCHMARKS) - set(dataset_versions(root, BENCHMARKS))
    if untracked:
        found = f"not versioned: {', '.join(sorted(untracked))}"
        yield Finding(Level.WARN, "data", found, "dvc add data")
    else:
        yield Finding(Level.OK, "data", f"{len(BENCHMARKS)} benchmarks, versioned by data.dvc")


def weights(profile: Profile, root: Path) -> Iterator[Finding]:
    """The pretrained folders that the profile names."""
    for section, path in (
        ("text_encoder", profile.text_encoder.path),
        ("vlm", profile.vlm.path),
        ("encoder", profile.encoder.path),
    ):
        if not path:
            yield Finding(Level.OK, section, "trained by the base stage")
            continue
        try:
            there = (root / resolve_path(path)).exists()
        except WeightsError:
            there = False
        packaged = path.startswith(SCHEME)
        remedy = "make setup" if packaged else f"put the weights there, or set {section}.path"
        level = Level.OK if there else Level.FAIL
        found = path if there else f"{path} is missing"
        yield Finding(level, section, found, "" if there else remedy)


def repository(root: Path) -> Iterator[Finding]:
    """What lineage hangs on."""
    if not (root / ".git").exists():
        yield Finding(Level.WARN, "git", "no repository: runs are not tied to a commit", "git init")
    if not (root / ".dvc" / "config").is_file():
        yield Finding(Level.FAIL, "dvc", "not initialised", "dvc init")
    elif not (root / "dvc.lock").is_file():
        yield Finding(Level.WARN, "dvc", "nothing has run here yet", "make sample")
    else:
        yield Finding(Level.OK, "dvc", "dvc.lock is there; `dvc status` says what is out of date")


def _at_least(gib: float, need: int, what: str, remedy: str) -> Finding:
    if gib >= need:
        return Finding(Level.OK, what, f"{gib:.0f} GiB")
    return Finding(Level.FAIL, what, f"{gib:.1f} GiB, {need} are needed", remedy)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _gpus() -> list[tuple[str, float]]:
    """``(name, GiB)`` of each GPU the driver shows."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    done = subprocess.run([tool, *query], capture_output=True, text=True, check=False)
    rows = [line.rsplit(",", 1) for line in done.stdout.splitlines() if "," in line]
    return [(name.strip(), float(mib) / 1024) for name, mib in rows]
