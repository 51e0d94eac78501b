"""A clone of the project at one commit, where stages run again and nothing of ours is touched.

It reads DVC's cache and writes none of it: what is made there is compared, not kept.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.errors import ConfigError, GeoMagError, ToolError
from geomag.parse import mapping, read_yaml
from geomag.versions import path_md5

OURS = ("DAGSTER_", "DVC_", "GEOMAG_", "MLFLOW_", "PYTHON")
"""Beginnings of variables that would lead a command away from the clone."""
MADE = ("data/", "artifacts/")
"""Beginnings of paths that DVC keeps; all others a stage reads are in git."""


class ReproductionError(GeoMagError):
    """The commit is not the one that made the cell, or a version that it read is gone."""


class StageFailedError(Exception):
    """A stage that once ran does not run in the clone."""


@dataclass(frozen=True, slots=True)
class Clone:
    """The project's commit in a folder of its own, with the project's cache to read from."""

    root: Path
    commit: str

    def check_code(self, stage: str, entry: Mapping[str, Any]) -> None:
        """Refuse if the commit holds other code or settings than ran.

        Args:
            stage: Its name.
            entry: What ``dvc.lock`` recorded when the stage ran.

        Raises:
            ReproductionError: Naming the first file or setting that differs.
        """
        for dep in entry.get("deps", []):
            path = self.root / dep["path"]
            if dep["path"].startswith(MADE):
                continue
            if not path.exists() or path_md5(path) != dep["md5"]:
                raise self._other(dep["path"], stage, f"md5 {dep['md5']}")
        for file, recorded in entry.get("params", {}).items():
            path = self.root / file
            tree = read_yaml(path) if path.is_file() else {}
            for key, value in recorded.items():
                if tree.get(key) != value:
                    raise self._other(f"{file}, {key}", stage, repr(value))

    def _other(self, place: str, stage: str, wanted: str) -> ReproductionError:
        return ReproductionError(
            place,
            f"commit {self.commit[:12]} has another version than the one that {stage} ran with",
            wanted,
            "commit what the cell was made with, or name that commit with --commit",
        )

    def fetch(self, paths: Iterable[str]) -> None:
        """Check out versions that ``dvc.lock`` and ``data.dvc`` of the commit name.

        Raises:
            ReproductionError: If the cache lacks one.
        """
        done = self._dvc("checkout", "--quiet", *paths)
        if done.returncode:
            raise ReproductionError(
                "dvc checkout", done.stderr.strip()[-800:], remedy="dvc fetch, in the project"
            )

    def run(self, stage: str) -> None:
        """Run one stage whatever DVC knows of it; its log stays in ``work/logs``.

        Raises:
            StageFailedError: With its last lines.
        """
        done = self._dvc("repro", "--single-item", "--force", "--no-commit", stage)
        log = self.root / "work" / "logs" / f"{stage}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode:
            last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
            raise StageFailedError(
                f"{stage} ended with exit code {done.returncode} ({log})\n{last}"
            )

    def _dvc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return _run([sys.executable, "-m", "dvc", *arguments], self.root)


def clone(project: Path, folder: Path, commit: str) -> Clone:
    """Clone ``project`` to ``folder`` and check ``commit`` out.

    Raises:
        ToolError: If the project is no git repository, or has no such commit.
    """
    found = _run(["git", "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"], project)
    if found.returncode:
        raise ToolError(str(project), f"git knows no commit {commit!r}", "a commit", "see git log")
    sha = found.stdout.strip()
    for command in (
        ["git", "clone", "--quiet", "--no-checkout", str(project), str(folder)],
        ["git", "-C", str(folder), "checkout", "--quiet", "--detach", sha],
    ):
        done = _run(command, project)
        if done.returncode:
            raise ToolError(" ".join(command[:4]), done.stderr.strip()[-500:])
    cache = _run([sys.executable, "-m", "dvc", "cache", "dir"], project)
    if cache.returncode:
        raise ToolError("dvc cache dir", cache.stderr.strip()[-500:])
    place = (project / cache.stdout.strip()).resolve()
    local = folder / ".dvc" / "config.local"
    local.write_text(f"[cache]\n    dir = {place}\n", encoding="utf-8")
    _link_weights(project, folder)
    return Clone(folder, sha)


def _link_weights(project: Path, folder: Path) -> None:
    """Pretrained weights are in neither git nor DVC: a profile names their folders, by digest."""
    for profile in (folder / "geomag" / "profiles").glob("*.yaml"):
        sections = mapping(read_yaml(profile) or {}, str(profile), ConfigError).values()
        for path in (
            part["path"] for part in sections if isinstance(part, dict) and "path" in part
        ):
            if (project / path).exists() and not (folder / path).exists():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).symlink_to((project / path).resolve())


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    quiet = {"PATH": path, "DVC_NO_ANALYTICS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        command, cwd=folder, env=kept | quiet, capture_output=True, text=True, check=False
    )
