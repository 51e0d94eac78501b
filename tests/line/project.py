"""The whole project in a folder of its own: the commit that is checked out, with small settings.

`dvc.yaml` depends on the code, so the folder is a clone, and what runs there is the clone's code.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from geomag.data.benchmarks import BENCHMARKS
from geomag.versions import dataset_versions, read_lock
from geomag_dagster.naming import asset_key
from geomag_dagster.project import known_version

CHECKOUT = Path(__file__).parents[2]
SMALL = Path(__file__).with_name("small.yaml")
OURS = ("DAGSTER_", "DVC_", "GEOMAG_", "MLFLOW_", "PYTHON")
"""Beginnings of variables that would lead a command away from the clone."""


def environment() -> dict[str, str]:
    """What `make sample` exports, and nothing that points elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    quiet = {"DAGSTER_DISABLE_TELEMETRY": "yes", "DVC_NO_ANALYTICS": "1"}
    quiet |= {"MLFLOW_DISABLE_TELEMETRY": "true", "HF_HUB_OFFLINE": "1"}
    venv = str(Path(sys.executable).parent)
    path = f"{venv}{os.pathsep}{kept.get('PATH', '')}"
    return kept | quiet | {"PATH": path, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Project:
    """A clone and what its commands say."""

    root: Path

    def python(self, *arguments: str, **variables: str) -> str:
        """Run our interpreter in the clone to its end; returns what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=environment() | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def complaints(self, *arguments: str) -> str:
        """Run our interpreter in the clone to its end; returns what it wrote to stderr."""
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=self.root, env=environment(), capture_output=True, text=True, check=True
        )
        return done.stderr

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run our interpreter in the clone; returns its exit code and what it printed."""
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=self.root, env=environment(), capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    def failing(self, *arguments: str) -> tuple[int, str]:
        """Run our interpreter where it must not succeed; returns its exit code and its words."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0, done.stdout[-4000:]
        return done.returncode, done.stderr

    def git(self, *arguments: str) -> str:
        """What a git command prints."""
        git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
        command = [*git, "-C", str(self.root), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The same, not waited for; its output is a pipe of lines."""
        return subprocess.Popen(
            [sys.executable, "-u", *arguments],
            cwd=self.root,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )

    def start_and_kill(self, *arguments: str) -> None:
        """Run our interpreter until training has kept its fourth update, and kill it there."""
        training = self.start(*arguments)
        kept = self.root / "work" / "train"
        while not list(kept.rglob("update-0000004")):
            assert training.poll() is None, "training ended before it was killed"
            time.sleep(0.02)
        training.kill()
        training.communicate(timeout=60)
        assert training.returncode == -9

    def run_line(self, **variables: str) -> dict[str, str]:
        """``make sample`` without the set-up; returns ``done`` or ``current`` for each step."""
        printed = self.python("-m", "geomag_dagster.run", **variables)
        rows = [row.split() for row in printed.splitlines() if row.startswith("  ")]
        return {" ".join(words[1:-2]): words[0] for words in rows}

    def dvc(self, *arguments: str) -> str:
        """What a DVC command prints."""
        return self.python("-m", "dvc", *arguments)

    def json(self, path: str) -> dict:
        """A JSON file of the clone."""
        return json.loads((self.root / path).read_text(encoding="utf-8"))

    def instance(self) -> dg.DagsterInstance:
        """The clone's Dagster instance."""
        return dg.DagsterInstance.from_config(str(self.root / ".dagster" / "home"))

    def locked_versions(self) -> dict[str, str]:
        """Data version of every asset as DVC's files record it."""
        outs = [out for stage in read_lock(self.root).values() for out in stage.get("outs", [])]
        found = {asset_key(out["path"]).to_user_string(): out["md5"] for out in outs}
        datasets = dataset_versions(self.root, BENCHMARKS)
        return found | {f"data/{name}": md5 for name, md5 in datasets.items()}

    def dagster_versions(self) -> dict[str, str | None]:
        """Data version of every asset that was ever materialized, as Dagster shows it."""
        with self.instance() as instance:
            keys = instance.all_asset_keys()
            return {key.to_user_string(): known_version(instance, key) for key in keys}

    def copy(self, root: Path) -> "Project":
        """The same project in another folder, to be changed."""
        shutil.copytree(self.root, root, symlinks=True)
        return Project(root)


def make_project(root: Path) -> Project:
    """Clone the checkout's commit to ``root`` and commit the small settings there."""
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run([*git, "clone", "--quiet", str(CHECKOUT), str(root)], check=True)
    shutil.copyfile(SMALL, root / "geomag" / "profiles" / "sample.yaml")
    subprocess.run([*git, "-C", str(root), "commit", "-qam", "Small settings"], check=True)
    return Project(root)
