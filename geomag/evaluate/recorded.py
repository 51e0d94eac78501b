"""Scores of this working copy against those of a commit: equal, within intervals, or different.

Float arithmetic differs between processors, so a line that was run elsewhere need not give the
recorded digits. What it must give is values that the recorded 95 % intervals hold.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from geomag.errors import GeoMagError
from geomag.evaluate.score.table import arms_of
from geomag.io import read_json

SCORES = Path("artifacts/scores")
SAME = 1e-9
"""Largest difference of two values that are called equal; score files hold twelve digits."""

Outcome = Literal["equal", "within", "different", "not recorded", "not run"]


class NoRecordError(GeoMagError):
    """The commit to compare with cannot be read, or holds no scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDrift:
    """One metric of one arm, here and in the record."""

    benchmark: str
    arm: str
    metric: str
    here: float | None
    """Score of this working copy; None where it has none."""
    recorded: float | None
    """Score of the commit; None where it has none."""
    interval: tuple[float, float] | None
    """95 % interval of the recorded value; None where it has none."""

    @property
    def outcome(self) -> Outcome:
        """``within``: the recorded interval holds the value of here."""
        if self.here is None:
            return "not run"
        if self.recorded is None:
            return "not recorded"
        if abs(self.here - self.recorded) <= SAME:
            return "equal"
        if self.interval is not None and self.interval[0] <= self.here <= self.interval[1]:
            return "within"
        return "different"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDrift:
    """All metrics of the line, here against a commit."""

    against: str
    """The commit, as git resolved it."""
    metrics: tuple[MetricDrift, ...]

    def count(self, outcome: Outcome) -> int:
        """Number of metrics with this outcome."""
        return sum(metric.outcome == outcome for metric in self.metrics)

    def summary(self) -> str:
        """One line of text: how many metrics are equal, within their interval, or different."""
        outcomes: tuple[Outcome, ...] = get_args(Outcome)
        counted = [f"{self.count(name)} {name}" for name in outcomes if self.count(name)]
        return f"scores here against commit {self.against[:12]}: {', '.join(counted)}"

    def to_json(self) -> dict[str, Any]:
        """Every metric with its outcome."""
        rows = [{**asdict(metric), "outcome": metric.outcome} for metric in self.metrics]
        return {"against": self.against, "metrics": rows}


def compare_line(root: Path, against: str = "HEAD") -> LineDrift:
    """Compare ``artifacts/scores`` of a project with those that a commit holds.

    Raises:
        NoRecordError: ``against`` is no commit of this repository, or it holds no score files.
    """
    commit = _git(root, "rev-parse", "--verify", "--quiet", f"{against}^{{commit}}")
    if commit is None:
        raise NoRecordError(against, f"no commit of the repository at {root}")
    listed = _git(root, "ls-tree", "--name-only", commit.strip(), f"{SCORES.as_posix()}/") or ""
    recorded = {
        Path(name).stem: json.loads(_git(root, "show", f"{commit.strip()}:./{name}") or "{}")
        for name in listed.split()
        if name.endswith(".json")
    }
    if not recorded:
        raise NoRecordError(
            against, f"no scores under {SCORES}", remedy="commit a finished line's scores"
        )
    here = {path.stem: read_json(path) for path in sorted((root / SCORES).glob("*.json"))}
    names = sorted({*recorded, *here})
    metrics = [
        metric
        for name in names
        for metric in _drifts(name, here.get(name, {}), recorded.get(name, {}))
    ]
    return LineDrift(against=commit.strip(), metrics=tuple(metrics))


def _drifts(
    benchmark: str, here: dict[str, Any], recorded: dict[str, Any]
) -> Iterator[MetricDrift]:
    ours, theirs = (arms_of(score) if score else {} for score in (here, recorded))
    for arm in sorted({*ours, *theirs}):
        values, known = (arms.get(arm, {}).get("metrics", {}) for arms in (ours, theirs))
        intervals = theirs.get(arm, {}).get("intervals", {})
        for metric in sorted({*values, *known}):
            interval = intervals.get(metric)
            yield MetricDrift(
                benchmark=benchmark,
                arm=arm,
                metric=metric,
                here=values.get(metric),
                recorded=known.get(metric),
                interval=None if interval is None else (interval[0], interval[1]),
            )


def _git(root: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(root), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.stdout if ended.returncode == 0 else None
