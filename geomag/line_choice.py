"""Which benchmarks the line is about: ``params.yaml`` spelled out over those that are chosen.

DVC cannot leave a path of a stage away, so ``dvc.yaml`` asks ``files`` of ``params.yaml`` where
each benchmark's files are. One that is not chosen has files of its own folder of code there: they
are always present, no two are the same, and no stage reads them as data.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from geomag.config import load_profile
from geomag.config.load import PROFILES_DIR
from geomag.data.benchmarks import BENCHMARKS, Benchmark, chosen_benchmarks
from geomag.data.benchmarks.table import discovered
from geomag.errors import ConfigError
from geomag.io import write_text
from geomag.parse import read_text

PARAMS = "params.yaml"
NO_WINDOWS = "geomag/data/benchmarks/table.py"
"""What answers without stored windows depend on in their place."""
_HEAD = """\
# What dvc.yaml is spelled out over, written by `geomag choose`. The settings themselves are
# geomag/profiles/<profile>.yaml. A test holds this file against geomag/data/benchmarks.
"""
_PROBED = """\
# MagCrop probes these: pixel and region level, grounded conversation excepted (paper 4.3).
"""
_PREDICTIONS = """\
# One answer file each. `windows` is where the crop windows come from; for arms that have none it
# is the table that says so.
"""
_FILES = """\
# Where stages over several benchmarks find each one's files. One that is not chosen stands there
# with files of its code, which are always there: DVC cannot leave a path of a stage away.
"""


def choose(root: Path, profile: str, names: Sequence[str] | None) -> list[Benchmark]:
    """Write the choice into the profile, and ``params.yaml`` over it; returns what is chosen.

    Args:
        root: Project root.
        profile: Name, or path of a YAML file from the project root.
        names: Benchmarks; empty chooses all, None leaves what the profile says.

    Raises:
        ConfigError: On a name that is none, or a profile whose ``benchmarks`` cannot be edited.
    """
    if names is not None:
        chosen_benchmarks(names)
        _write_choice(profile_file(root, profile), names)
    chosen = chosen_benchmarks(load_profile(_named(root, profile)).benchmarks)
    write_text(root / PARAMS, params_text(profile, chosen))
    return chosen


def profile_file(root: Path, profile: str) -> Path:
    """The file of a profile that the line names."""
    is_path = profile.endswith((".yaml", ".yml"))
    return root / profile if is_path else PROFILES_DIR / f"{profile}.yaml"


def _named(root: Path, profile: str) -> str:
    return str(profile_file(root, profile))


def params_text(profile: str, chosen: Sequence[Benchmark]) -> str:
    """``params.yaml`` of a line about some benchmarks, in their order."""
    names = [one.name for one in chosen]
    probed = [one.name for one in chosen if one.crops]
    files = {one.name: _files(one, one.name in names) for one in BENCHMARKS.values()}
    parts = [
        f"{_HEAD}profile: {profile}\n",
        "benchmarks:\n" + "".join(f"  - {name}\n" for name in names),
        f"{_PROBED}probed: [{', '.join(probed)}]\n",
        f"{_PREDICTIONS}predictions:{_mapping(_predictions(chosen))}",
        f"{_FILES}files:{_mapping(files)}",
    ]
    return "\n".join(parts)


def _predictions(chosen: Sequence[Benchmark]) -> dict[str, dict[str, str]]:
    return {
        f"{one.name}-{arm}": {
            "benchmark": one.name,
            "arm": arm,
            "windows": f"artifacts/crops/{one.name}"
            if one.crops and arm == "magcrop"
            else NO_WINDOWS,
        }
        for one in chosen
        for arm in one.arms
    }


def _files(benchmark: Benchmark, is_chosen: bool) -> dict[str, str]:
    name = benchmark.name
    code = f"geomag/data/benchmarks/{name}"
    real = {
        "data": f"data/{name}",
        "records": f"artifacts/records/{name}",
        "crops": f"artifacts/crops/{name}",
    }
    absent = {
        "data": f"{code}/spec.py",
        "records": f"{code}/reader.py",
        "crops": f"{code}/merge.py",
    }
    found = real if is_chosen else absent
    return {kind: path for kind, path in found.items() if kind != "crops" or benchmark.crops}


def _mapping(tree: dict[str, dict[str, str]]) -> str:
    """Entries a line each; an empty mapping stays one."""
    rows = [
        f"  {key}: {{{', '.join(f'{name}: {value}' for name, value in entry.items())}}}\n"
        for key, entry in tree.items()
    ]
    return "\n" + "".join(rows) if rows else " {}\n"


def _write_choice(file: Path, names: Sequence[str]) -> None:
    text = read_text(file)
    line = f"benchmarks: [{', '.join(names)}]\n" if names else ""
    edited, count = re.subn(r"^benchmarks:.*(\n[ -].*)*\n?", lambda _: line, text, flags=re.M)
    if not count:
        edited = text + ("" if text.endswith("\n") else "\n") + line
    found: Any = (yaml.safe_load(edited) or {}).get("benchmarks", [])
    if found != list(names):
        raise ConfigError(
            f"{file}, benchmarks", "a form that cannot be edited", f"benchmarks: {list(names)}"
        )
    if edited != text:
        write_text(file, edited)


def listed_benchmarks(root: Path) -> list[str] | None:
    """The benchmarks that ``params.yaml`` spells ``dvc.yaml`` out over; None where it has none."""
    path = root / PARAMS
    tree = yaml.safe_load(read_text(path)) if path.is_file() else None
    found = tree.get("benchmarks") if isinstance(tree, dict) else None
    return [str(name) for name in found] if isinstance(found, list) else None


def refuse_other_benchmarks(root: Path, profile: str) -> None:
    """Hold the benchmarks that ``params.yaml`` lists against those that its profile chooses.

    Raises:
        ConfigError: Naming both, if they differ: DVC would run a line, and training mix another.
    """
    listed = listed_benchmarks(root)
    if listed is None:
        return
    own = discovered()  # what a plug-in adds while a program runs is no part of the line
    wanted = load_profile(_named(root, profile)).benchmarks or tuple(own)
    if set(listed) != set(wanted):
        raise ConfigError(
            f"{root / PARAMS}, benchmarks",
            ", ".join(listed) or "none",
            f"those that profile {profile} chooses: {', '.join(wanted)}",
            "run `geomag choose`, which writes params.yaml over the profile's choice",
        )
