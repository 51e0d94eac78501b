"""Names of versions: DVC's of data, read or computed without importing it; git's of code."""

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from geomag.dvc_cache import cached_file
from geomag.errors import AnnotationError, ToolError
from geomag.io import file_digest, read_json, value_digest
from geomag.parse import read_text, read_yaml
from geomag.partial import is_partial

PACKAGE = Path(__file__).parent


def require_dvc(root: Path) -> None:
    """Refuse a project without a ``.dvc`` of its own: DVC would write into a parent's.

    Raises:
        ToolError: If ``root`` has no ``.dvc`` folder.
    """
    if not (root / ".dvc").is_dir():
        raise ToolError(
            str(root),
            "no .dvc folder, and DVC would change the settings of a folder above",
            "a project with a .dvc of its own",
            "dvc init --subdir here, or dvc init --no-scm outside of git",
        )


def tree_md5(entries: Iterable[tuple[str, str]]) -> str:
    """The version of a folder from ``(relative path, md5)`` of its files, as DVC computes it.

    >>> tree_md5([])
    'd751713988987e9331980363e24189ce.dir'
    """
    listing = [{"md5": md5, "relpath": path} for path, md5 in sorted(entries)]
    text = json.dumps(listing, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def path_md5(path: Path) -> str:
    """The version DVC will write for a file or folder, by reading it."""
    return file_digest(path, "md5") if path.is_file() else tree_md5(folder_md5s(path))


def folder_md5s(path: Path) -> list[tuple[str, str]]:
    """``(relative path, md5)`` of a folder's files, without what ``.dvcignore`` leaves out."""
    return [
        (file.relative_to(path).as_posix(), file_digest(file, "md5"))
        for file in path.rglob("*")
        if file.is_file() and not is_partial(file.name) and "__pycache__" not in file.parts
    ]


def tracked_tree(root: Path, target: str = "data") -> list[tuple[str, str]] | None:
    """``(relative path, md5)`` of every file that ``<target>.dvc`` tracks.

    Returns:
        None when the listing is not in DVC's cache, as after a fresh clone.
    """
    md5 = tracked_md5(root, target)
    return listing(root, md5) if md5 else None


def tracked_md5(root: Path, target: str = "data") -> str:
    """The version that ``<target>.dvc`` names; empty if there is no such file."""
    pointer = root / f"{target}.dvc"
    if not pointer.is_file():
        return ""
    try:
        return str(read_yaml(pointer)["outs"][0]["md5"])
    except (KeyError, IndexError, TypeError) as other:
        raise AnnotationError(
            str(pointer), "no md5 under outs", "a file that DVC wrote", f"dvc add {target}"
        ) from other


def listing(root: Path, md5: str) -> list[tuple[str, str]] | None:
    """``(relative path, md5)`` of every file in the version of a folder; None if not cached."""
    path = cached_file(root, md5)
    if not path.is_file():
        return None
    entries = read_json(path)
    return [(entry["relpath"], entry["md5"]) for entry in entries]


def dataset_versions(root: Path, names: Iterable[str], target: str = "data") -> dict[str, str]:
    """Version of each sub-folder of the tracked ``data/``: what a stage that reads it records.

    Taken from DVC's listing; where that is missing, from the dependencies in ``dvc.lock``. A
    dataset that neither knows is left out.
    """
    tree = tracked_tree(root, target)
    if tree is None:
        locked = locked_paths(root)
        return {name: locked[path] for name in names if (path := f"{target}/{name}") in locked}
    found: dict[str, str] = {}
    for name in names:
        inside = [(path[len(name) + 1 :], md5) for path, md5 in tree if path.startswith(f"{name}/")]
        if inside:
            found[name] = tree_md5(inside)
    return found


def untracked_inputs(root: Path, lock: Mapping[str, Any], stage: str) -> dict[str, tuple[str, str]]:
    """Benchmarks that a stage read in a state that ``data.dvc`` does not track.

    Returns:
        ``(version read, version tracked)`` by path, as ``data/aid``.
    """
    read = {
        path: md5
        for path, md5 in stage_paths(lock, stage, "deps").items()
        if PurePosixPath(path).parts[0] == "data"
    }
    tracked = dataset_versions(root, [PurePosixPath(path).name for path in read])
    pairs = {path: (md5, tracked.get(PurePosixPath(path).name, "")) for path, md5 in read.items()}
    return {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}


def read_lock(root: Path) -> dict[str, dict[str, Any]]:
    """The stages of ``dvc.lock``, or nothing when it does not exist yet."""
    path = root / "dvc.lock"
    if not path.is_file():
        return {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times faster
    try:
        tree = yaml.load(read_text(path), loader) or {}  # noqa: S506
        return dict(tree.get("stages", {}))
    except (yaml.YAMLError, AttributeError, ValueError) as broken:
        raise AnnotationError(
            str(path),
            f"not a lock file of DVC ({broken!s:.200})",
            remedy="git checkout dvc.lock, or dvc repro",
        ) from broken


def stage_paths(lock: Mapping[str, Any], stage: str, part: str) -> dict[str, str]:
    """Versions by path of one stage's ``deps`` or ``outs``; empty if the lock lacks the stage."""
    entries = lock.get(stage, {}).get(part, [])
    return {entry["path"]: entry.get("md5", "") for entry in entries}


def locked_paths(root: Path) -> dict[str, str]:
    """Version of every path that ``dvc.lock`` names, outputs before dependencies."""
    found: dict[str, str] = {}
    stages = read_lock(root).values()
    for part in ("deps", "outs"):
        for stage in stages:
            for entry in stage.get(part, []):
                found[entry["path"]] = entry.get("md5", "")
    return found


def stage_code(root: Path, stage: str) -> str:
    """16 hex digits over the code that a stage depends on, as it lies on disk.

    Args:
        root: Project root; its ``dvc.yaml`` lists the stage's files and folders of ``geomag/``.
            Where it has no such stage, the whole package counts.
        stage: Its name before the ``@``, such as ``train`` or ``predict``.
    """
    path = root / "dvc.yaml"
    tree = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    definition = tree.get("stages", {}).get(stage, {})
    listed = definition.get("do", definition).get("deps", [])
    code = [dep for dep in listed if PurePosixPath(dep).parts[0] == PACKAGE.name]
    places = [PACKAGE.parent / dep for dep in code or [PACKAGE.name]]
    files = {
        file.relative_to(PACKAGE.parent).as_posix(): file_digest(file)
        for place in places
        for file in (place.rglob("*") if place.is_dir() else [place])
        if file.is_file() and "__pycache__" not in file.parts
    }
    return value_digest(files)


def code_identity(root: Path, stage: str) -> dict[str, str]:
    """``code``, the digest of `stage_code`, and ``commit``, where people find that code again."""
    state = git_tags(root)
    commit = state.get("git.commit", "none")[:12]
    changed = " with uncommitted changes" if state.get("git.dirty") == "true" else ""
    return {"code": stage_code(root, stage), "commit": commit + changed}


def git_tags(root: Path) -> dict[str, str]:
    """``git.commit`` that is checked out and ``git.dirty``; empty outside a repository.

    Dirty is what a person has edited: results that the line writes itself do not count.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    commit = git("rev-parse", "HEAD")
    if not commit:
        return {}
    edited = ["--", ".", ":(exclude)dvc.lock", ":(exclude)artifacts"]
    dirty = bool(git("status", "--porcelain", "--untracked-files=no", *edited))
    return {"git.commit": commit, "git.dirty": str(dirty).lower()}
