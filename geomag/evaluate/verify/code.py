"""Code and settings that made a cell against those of the working tree, and of a run's commit."""

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from geomag.evaluate.verify.chain import inputs
from geomag.evaluate.verify.disk import Disk
from geomag.evaluate.verify.links import Absence, Break, Finding
from geomag.parse import read_yaml

REMEDY = "git checkout {path} for the code that ran, or dvc repro to run this one"


def code(disk: Disk, lock: Mapping[str, Any], stages: Iterable[str]) -> Iterator[Finding]:
    """The modules that the stages ran are those of the working tree."""
    listed = 0
    for stage in stages:
        for path, md5 in inputs(lock, stage, code=True).items():
            listed += 1
            remedy = REMEDY.format(path=path)
            yield from disk.compare(path, md5, stage, remedy, may_lack=False)
    if not listed:
        yield Absence("dvc.lock lists no code under the deps of these stages")


def settings(root: Path, lock: Mapping[str, Any], stages: Iterable[str]) -> Iterator[Finding]:
    """The settings that the stages ran with are those of the profile's file."""
    listed = 0
    for stage in stages:
        for path, wanted in lock.get(stage, {}).get("params", {}).items():
            now = _yaml(root / path) if (root / path).is_file() else {}
            for key, value in wanted.items():
                listed += 1
                if (found := _at(now, key)) != value:
                    yield _other_setting(path, key, found, value, stage)
    if not listed:
        yield Absence("dvc.lock lists no settings under the params of these stages")


def commit_holds(
    root: Path, run: str, tags: Mapping[str, str], code_paths: Iterable[str]
) -> Iterator[Finding]:
    """The commit that a run is tagged with has the code that the working tree has.

    Args:
        root: Project root.
        run: The run in words, such as ``scored 3f2a``.
        tags: Of the run.
        code_paths: What the run's stage depends on.
    """
    commit, paths = tags.get("git.commit", ""), sorted(code_paths)
    if not _git(root, "rev-parse", "HEAD"):
        yield Absence("no git repository: the commits of the runs are not compared")
    elif not commit:
        yield Absence(f"MLflow run {run} has no tag git.commit")
    elif not _git(root, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"):
        yield Break(
            f"MLflow run {run}, tag git.commit",
            commit,
            "a commit of this repository",
            "git fetch --unshallow; if it is still unknown, the tag was changed: score again",
        )
    elif tags.get("git.dirty") == "true":
        yield Absence(f"MLflow run {run} ran on uncommitted changes: dvc.lock alone tells its code")
    elif paths and (other := _git(root, "diff", "--name-only", "--relative", commit, "--", *paths)):
        yield Break(
            f"MLflow run {run}, tag git.commit",
            f"{commit[:12]}, where {other.splitlines()[0]} is another",
            "a commit with the code that dvc.lock records",
            "dvc repro, or git checkout of that commit",
        )


def _other_setting(path: str, key: str, found: Any, value: Any, stage: str) -> Break:
    if isinstance(found, dict) and isinstance(value, dict):
        inner = next(k for k in {**value, **found} if found.get(k) != value.get(k))
        return _other_setting(path, f"{key}.{inner}", found.get(inner), value.get(inner), stage)
    wanted = f"{value!r}, which stage {stage} of dvc.lock ran with"
    remedy = f"git checkout {path} for the settings that ran, or dvc repro to run these"
    return Break(f"{path}, {key}", repr(found), wanted, remedy)


def _at(tree: Any, key: str) -> Any:
    for word in key.split("."):
        tree = tree.get(word) if isinstance(tree, dict) else None
    return tree


@lru_cache(maxsize=32)
def _read_yaml(path: Path, time: int) -> Any:
    return read_yaml(path)


def _yaml(path: Path) -> Any:
    return _read_yaml(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
