"""The project made ready to run: DVC, the data and its versions."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path

import dagster as dg

from geomag.errors import ToolError
from geomag.versions import dataset_versions, require_dvc, tracked_tree
from geomag_dagster.dvc import stage_env
from geomag_dagster.naming import DATA


def missing_data(root: Path, benchmarks: Iterable[str]) -> list[str]:
    """The benchmarks that are not under ``data/``."""
    return [name for name in benchmarks if not (root / DATA / name).is_dir()]


def prepare(
    root: Path, benchmarks: Iterable[str], *, profile_source: str, log: Path | None = None
) -> None:
    """Bring DVC and the data to where a stage can run.

    Args:
        root: Project root.
        benchmarks: Those that the line reads.
        profile_source: ``sample`` draws missing benchmarks; ``downloads`` expects them.
        log: Gets what the drawing prints; None: this process's own output does.

    Raises:
        ToolError: If DVC is not initialised in ``root`` itself, or a download is missing.
    """
    require_dvc(root)
    if not (root / ".git").exists():
        _dvc(root, "config", "--local", "core.no_scm", "true")
    if missing := missing_data(root, benchmarks):
        if profile_source != "sample":
            raise ToolError(
                str(root / DATA), f"no {', '.join(missing)}", remedy="run geomag data check"
            )
        named = [word for name in missing for word in ("--benchmark", name)]
        _checked(root, [sys.executable, "-m", "geomag", "data", "sample", *named], log)
        _dvc(root, "add", DATA)
    elif tracked_tree(root) is None:
        _dvc(root, "add", DATA)


def report_datasets(instance: dg.DagsterInstance, root: Path, names: Iterable[str]) -> list[str]:
    """Tell the instance the version of every benchmark that it does not know yet.

    Returns:
        The names whose version is new.
    """
    new = []
    for name, md5 in dataset_versions(root, names).items():
        if known_version(instance, dg.AssetKey([DATA, name])) != md5:
            instance.report_runless_asset_event(dataset_event(name, md5))
            new.append(name)
    return new


def dataset_event(name: str, md5: str) -> dg.AssetMaterialization:
    """The event that gives a benchmark its version; an observation would not move conditions."""
    return dg.AssetMaterialization(
        asset_key=[DATA, name],
        metadata={"dvc.md5": md5},
        tags={"dagster/data_version": md5},
    )


def known_version(instance: dg.DagsterInstance, key: dg.AssetKey) -> str | None:
    """The data version of an asset's latest materialization."""
    return known_tags(instance, key).get("dagster/data_version")


def known_tags(instance: dg.DagsterInstance, key: dg.AssetKey) -> Mapping[str, str]:
    """The tags of an asset's latest materialization; none when there is none."""
    event = instance.get_latest_materialization_event(key)
    materialization = event.asset_materialization if event else None
    return (materialization.tags or {}) if materialization else {}


def _dvc(root: Path, *arguments: str) -> None:
    _checked(root, [sys.executable, "-m", "dvc", "--quiet", "--wait-for-lock", *arguments])


def _checked(root: Path, command: list[str], log: Path | None = None) -> None:
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") if log is not None else nullcontext() as out:
        done = subprocess.run(
            command,
            cwd=root,
            env={**os.environ, **stage_env()},
            check=False,
            stdout=out,
            stderr=None if out is None else subprocess.STDOUT,
        )
    if done.returncode:
        words = log.read_text(encoding="utf-8", errors="replace").splitlines() if log else []
        why = f": {words[-1]}" if words else ""
        raise ToolError(" ".join(command[2:]), f"ended with exit code {done.returncode}{why}")
