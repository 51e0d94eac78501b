"""Every stage of the line in the rehearsal's folder, each by the verb that a user types."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.config import Profile
from geomag.data.benchmarks import BENCHMARKS
from geomag.errors import ToolError
from geomag.io import read_json
from geomag.rehearse.project import keep_few
from geomag.rehearse.watched import Figures, Part

ARMS = ("magcrop", "plain")
Runner = Callable[[Path, Sequence[str]], tuple[int, Figures]]
"""Runs a verb in a project's folder; returns exit code and figures."""


@dataclass(frozen=True, slots=True)
class Step:
    """One verb of the line."""

    stage: str
    benchmark: str
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        """Short form for a table.

        >>> Step("predict", "aid", ("predict", "aid", "--arm", "plain")).name
        'predict aid plain'
        """
        return " ".join(one for one in self.arguments if not one.startswith("--"))


@dataclass(frozen=True, slots=True)
class Done:
    """A verb that has run."""

    step: Step
    figures: Figures
    records: int
    """Records that it worked on; 0 where that means nothing."""


def steps(profile: Profile) -> Iterator[Step]:
    """The verbs in the order of the line."""
    chosen = [BENCHMARKS[name] for name in profile.benchmarks]
    yield Step("doctor", "", ("doctor",))
    for one in chosen:
        yield Step("validate", one.name, ("data", "validate", one.name))
    yield Step("base", "", ("train", "base"))
    yield Step("granularity", "", ("train", "granularity"))
    for one in chosen:
        if one.crops:
            yield Step("crops", one.name, ("crops", one.name))
    yield Step("train", "", ("train", "model"))
    for one in chosen:
        for arm in ARMS:
            yield Step("predict", one.name, ("predict", one.name, "--arm", arm))
    for one in chosen:
        answers, score = f"artifacts/predictions/{one.name}", f"artifacts/scores/{one.name}.json"
        yield Step("score", one.name, ("score", one.name, answers, "--json", score, "--overwrite"))
    yield Step("report", "", ("report",))


def run_steps(
    root: Path, profile: Profile, *, records: int, run: Runner, log: Callable[[str], None]
) -> Iterator[Done]:
    """Run the verbs one after the other; each is told when it has ended.

    Raises:
        ToolError: Naming the verb that failed; what came before stands.
    """
    todo = list(steps(profile))
    left: dict[str, int] = {}
    for number, step in enumerate(todo, start=1):
        log(f"[{number}/{len(todo)}] geomag {' '.join(step.arguments)}")
        code, figures = run(root, step.arguments)
        if code:
            raise ToolError(
                f"geomag {' '.join(step.arguments)}",
                f"ended with exit code {code} in {root}",
                "0",
                f"cd {root} and run it again there",
            )
        if step.stage == "validate":
            left[step.benchmark] = keep_few(root, step.benchmark, records)
        yield Done(step, figures, _worked_on(root, step, profile, left))


def in_a_process(root: Path, arguments: Sequence[str]) -> tuple[int, Figures]:
    """Run a verb in a process of its own, whose memory ends with it; what it says goes to a file.

    A verb that fails shows its last lines.
    """
    log = log_of(root, arguments)
    log.parent.mkdir(parents=True, exist_ok=True)
    out = log.with_suffix(".json")
    out.unlink(missing_ok=True)
    kept = {name: value for name, value in os.environ.items() if name != "GEOMAG_PROFILE"}
    command = [sys.executable, "-m", "geomag.rehearse.watched", str(out.resolve()), *arguments]
    with log.open("w", encoding="utf-8") as said:
        code = subprocess.run(
            command, cwd=root, env=kept, stdout=said, stderr=subprocess.STDOUT, check=False
        ).returncode
    if code:
        sys.stderr.write("\n".join(log.read_text(encoding="utf-8").splitlines()[-12:]) + "\n")
    return code, figures_of(read_json(out)) if out.is_file() else Figures()


def log_of(root: Path, arguments: Sequence[str]) -> Path:
    """The file that holds what a verb has said."""
    words = [one for one in arguments if "/" not in one and not one.startswith("--")]
    return root / "work" / "log" / f"{'-'.join(words)}.txt"


def figures_of(tree: dict[str, Any]) -> Figures:
    """Figures from their JSON."""
    parts = {kind: Part(**part) for kind, part in tree.pop("parts").items()}
    return Figures(**tree, parts=parts)


def _worked_on(root: Path, step: Step, profile: Profile, left: dict[str, int]) -> int:
    """Records that a verb has worked on."""
    if step.stage == "train":
        return profile.train.steps * profile.train.batch
    if step.stage == "predict":
        answers = (
            root / "artifacts" / "predictions" / step.benchmark / f"{step.arguments[-1]}.jsonl"
        )
        return len(answers.read_text(encoding="utf-8").splitlines())
    return left.get(step.benchmark, 0) if step.stage in ("validate", "crops") else 0
