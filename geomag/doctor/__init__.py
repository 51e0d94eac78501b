"""What this machine can run, told before hours are spent: tools, device, data, weights."""

from collections.abc import Iterator
from pathlib import Path

from geomag.config import Profile
from geomag.doctor.finding import Finding, Level
from geomag.doctor.gpu import device, torch_build
from geomag.doctor.inputs import data, weights
from geomag.doctor.machine import disk, java, memory, packages, python
from geomag.errors import ConfigError
from geomag.line_profile import refuse_other_profile

__all__ = ["Finding", "Level", "examine"]


def examine(profile: Profile, root: Path) -> Iterator[Finding]:
    """Look at everything the profile needs; nothing is changed.

    No heavy library is imported, but for a profile with a pretrained VLM that has a GPU to fit on.
    """
    yield python()
    yield from packages()
    yield java()
    if (build := torch_build(profile)) is not None:
        yield build
    yield device(profile)
    yield memory(profile)
    yield disk(profile, root)
    yield from data(profile, root)
    yield from weights(profile, root)
    yield from repository(root)


def repository(root: Path) -> Iterator[Finding]:
    """What lineage hangs on, and whether the stages would take the profile of the environment."""
    try:
        refuse_other_profile(root)
    except ConfigError as wrong:
        found = f"{wrong.place}, but {wrong.found}: no stage will run"
        yield Finding(Level.WARN, "profile", found, wrong.remedy)
    if not (root / ".git").exists():
        yield Finding(Level.WARN, "git", "no repository: runs are not tied to a commit", "git init")
    if not (root / ".dvc" / "config").is_file():
        yield Finding(Level.FAIL, "dvc", "not initialised", "dvc init")
    elif not (root / "dvc.lock").is_file():
        yield Finding(Level.WARN, "dvc", "nothing has run here yet", "make sample")
    else:
        yield Finding(Level.OK, "dvc", "dvc.lock is there; `dvc status` says what is out of date")
