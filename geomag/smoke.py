"""Every stage of the line on a handful of records, before hours are spent on all of them.

A folder of its own is a small project: the line's settings with short trainings, its data, and its
records thinned to a few. Each stage's own command runs there in a process of its own, as DVC would
start it, so what fails here would fail there; nothing of the line itself is touched.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from geomag.config import Profile, profile_text
from geomag.data.benchmarks import Benchmark, Split, chosen_benchmarks
from geomag.data.by_image import by_image
from geomag.data.records import Record, read_records, write_records
from geomag.data.validate.run import RECORDS
from geomag.errors import AnnotationError, ToolError
from geomag.io import write_text
from geomag.line_choice import PARAMS, params_text
from geomag.manifest import SCHEME

PROFILE = "smoke.yaml"
SHORT: Mapping[str, Mapping[str, Any]] = {
    "base": {
        "n_scenes": 60,
        "look_steps": 2,
        "read_steps": 2,
        "steps": 2,
        "question_steps": 2,
        "recall_steps": 2,
        "sam_look_steps": 2,
        "sam_steps": 2,
        "projector_steps": 2,
    },
    "granularity": {"epochs": 1},
    "train": {"steps": 2, "warmup": 1, "save_every": 1, "log_every": 1},
    "score": {"resamples": 20, "max_missing": 1.0, "max_missing_captions": 1.0},
    "report": {"gallery": 1},
}
"""Settings that take the hours; all others, batches and models among them, stay the profile's."""
_LAST_LINES = 12


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one command."""

    command: tuple[str, ...]
    """Words after ``geomag``."""
    seconds: float


def make_scratch(root: Path, folder: Path, profile: Profile, *, limit: int) -> list[Benchmark]:
    """Make the small project; returns its benchmarks.

    Args:
        root: The line's project: its data are read, and its records where validation has run.
        folder: New or of an earlier smoke run, which is removed.
        profile: The line's settings.
        limit: Records of each split that are kept, pictures in order.

    Raises:
        AnnotationError: If a chosen benchmark is not there.
    """
    chosen = chosen_benchmarks(profile.benchmarks)
    if missing := [one.name for one in chosen if not (root / "data" / one.name).is_dir()]:
        remedy = "run `geomag data check`, or name those that are there with --benchmark"
        raise AnnotationError(str(root / "data"), f"no {', '.join(missing)}", remedy=remedy)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "data").symlink_to((root / "data").resolve())
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    shutil.copy(root / "dvc.yaml", folder)
    write_text(folder / PROFILE, _short_profile(root, profile))
    write_text(folder / PARAMS, params_text(PROFILE, chosen))
    for one in chosen:
        made = root / "artifacts" / "records" / one.name
        if (made / RECORDS).is_file():
            kept = folder / "artifacts" / "records" / one.name
            shutil.copytree(made, kept)
            thin(kept / RECORDS, limit)
    return chosen


def thin(file: Path, limit: int) -> None:
    """Keep the first ``limit`` records of each split, image by image."""
    kept: dict[Split, list[Record]] = {}
    for record in by_image(list(read_records(file))):
        rows = kept.setdefault(record.split, [])
        if len(rows) < limit:
            rows.append(record)
    write_records(file, (record for rows in kept.values() for record in rows))


def commands(chosen: Sequence[Benchmark]) -> Iterator[tuple[str, ...]]:
    """The line's commands after validation, in an order that has what each reads made before it."""
    yield ("data", "leakage")
    yield ("train", "base")
    yield ("train", "granularity")
    yield from (("crops", one.name) for one in chosen if one.crops)
    yield ("train", "model")
    for one in chosen:
        yield from (("predict", one.name, "--arm", arm) for arm in one.arms)
        scores = f"artifacts/scores/{one.name}.json"
        yield ("score", one.name, f"artifacts/predictions/{one.name}", "--json", scores)
    yield ("report",)


def smoke(
    root: Path, folder: Path, profile: Profile, *, limit: int, log: Callable[[str], None]
) -> list[Outcome]:
    """Run every stage on a few records; returns what each took.

    Args:
        root: The line's project.
        folder: Gets the small project.
        profile: The line's settings.
        limit: Records of each split and benchmark.
        log: Takes a line a command.

    Raises:
        ToolError: If a command fails, with the last that it said.
    """
    chosen = make_scratch(root, folder, profile, limit=limit)
    done = []
    for one in chosen:
        records = folder / "artifacts" / "records" / one.name / RECORDS
        if records.is_file():
            log(f"  records of the line, thinned: {one.name}")
        else:
            done.append(_run(folder, ("data", "validate", one.name), log))
            thin(records, limit)
    return done + [_run(folder, words, log) for words in commands(chosen)]


def _short_profile(root: Path, profile: Profile) -> str:
    """The profile with short trainings; weights in the project's folder keep their place."""
    tree = yaml.safe_load(profile_text(profile))
    for section, values in SHORT.items():
        tree[section] |= values
    places = [("text_encoder", "path"), ("vlm", "path"), ("vlm", "language"), ("vlm", "vision")]
    for section, key in [*places, ("encoder", "path")]:
        path = tree[section].get(key)
        if path and not path.startswith(SCHEME):
            tree[section][key] = str(root / path)
    return yaml.safe_dump(tree, sort_keys=False)


def _run(folder: Path, words: tuple[str, ...], log: Callable[[str], None]) -> Outcome:
    """Run ``geomag WORDS`` in the small project."""
    begun = time.monotonic()
    kept = {name: value for name, value in os.environ.items() if name != "GEOMAG_PROFILE"}
    (folder / "artifacts" / "scores").mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "geomag", *words],
        cwd=folder,
        env=kept | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - begun
    if done.returncode:
        said = "\n".join(done.stdout.splitlines()[-_LAST_LINES:])
        raise ToolError(
            f"geomag {' '.join(words)}",
            f"ended with exit code {done.returncode} on a few records:\n{said}\n",
            remedy=f"what it made lies in {folder}",
        )
    log(f"  done {' '.join(words):<72}{seconds:7.1f} s")
    return Outcome(words, seconds)
