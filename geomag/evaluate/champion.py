"""Let the candidate under ``artifacts/`` meet the champion, and move the alias if it passes.

The answers are copied before the alias moves, so a champion always has them; whatever fails on
the way leaves the old champion in place, and running it again goes on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.data.records import Record
from geomag.errors import ToolError
from geomag.evaluate.candidate import Candidate, collect, keep, kept
from geomag.evaluate.promotion import Decision, decide
from geomag.evaluate.score.context import ScoringContext
from geomag.tracking.registry import OUTCOME, ROLLED_BACK, Package, Registry, Version
from geomag.tracking.store import TrackerDownError

Records = Callable[[str], Iterable[Record]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """What came of one run of the gate."""

    decision: Decision
    candidate: str
    """Digest of what was judged."""
    version: str
    """Number of the version in the registry; empty after a dry run."""
    champion: str
    """Digest of the champion afterwards; empty if there is none."""
    champion_version: str

    def to_json(self) -> dict[str, Any]:
        """The decision with the versions beside it."""
        return {
            **self.decision.to_json(),
            "candidate": self.candidate,
            "version": self.version,
            "champion": self.champion,
            "champion_version": self.champion_version,
        }


@dataclass(frozen=True, slots=True)
class Registration:
    """What goes into the registry beside the gate's word."""

    tags: Mapping[str, str]
    """Remembered with the version (profile, commit)."""
    package: Package | None = None
    """Puts the weights of a candidate that passed where MLflow finds them; without it the version
    names them and cannot serve."""
    benchmarks: Sequence[str] = ()
    """Benchmarks that a candidate must have answered."""


def run_gate(
    root: Path,
    records: Records,
    context: ScoringContext,
    *,
    entry: Registration,
    accept: str = "",
    dry_run: bool = False,
) -> Promotion:
    """Judge the candidate, register it with outcome and reason, and promote it if it passed.

    Args:
        root: Project root.
        records: All records of a benchmark by its name.
        context: Settings of the scores.
        entry: How the candidate is registered.
        accept: A person's reason to promote without a comparison.
        dry_run: Judge, and change nothing.

    Raises:
        PromotionError: If another promotion came first.
        ToolError: If MLflow does not answer; nothing has changed.
    """
    candidate = collect(root, records, entry.benchmarks)
    try:
        registry = Registry(root)
        current = registry.champion()
        decision = _decision(candidate, current, root, (records, context), registry, accept)
        if not dry_run:
            number = _carry_out(registry, candidate, current, decision, root, entry)
            current = registry.champion()
    except TrackerDownError as failure:
        raise _down(failure) from failure
    return Promotion(
        decision=decision,
        candidate=candidate.digest,
        version="" if dry_run else number,
        champion=current.candidate if current else "",
        champion_version=current.number if current else "",
    )


def roll_back(root: Path) -> tuple[str, str]:
    """Make the champion before the present one champion again; returns both version numbers.

    Raises:
        PromotionError: If there is none before.
        WeightsError: If its answers are gone: later challengers could not be compared.
        ToolError: If MLflow does not answer; nothing has changed.
    """

    def has_answers(version: Version) -> None:
        kept(root, version.candidate)

    try:
        return Registry(root).rollback(has_answers)
    except TrackerDownError as failure:
        raise _down(failure) from failure


def _decision(
    candidate: Candidate,
    current: Version | None,
    root: Path,
    scoring: tuple[Records, ScoringContext],
    registry: Registry,
    accept: str,
) -> Decision:
    if current and current.candidate == candidate.digest:
        return Decision(outcome="keep", reason="it is the champion already")
    if accept:
        return Decision(outcome="promote", reason=f"accepted without comparison: {accept}")
    known = registry.find(candidate.digest)
    if known and known.tags.get(OUTCOME) == ROLLED_BACK:
        return Decision(outcome="keep", reason=f"version {known.number} was rolled back")
    champion = kept(root, current.candidate) if current else None
    return decide(candidate, champion, *scoring)


def _carry_out(
    registry: Registry,
    candidate: Candidate,
    current: Version | None,
    decision: Decision,
    root: Path,
    entry: Registration,
) -> str:
    """Register the candidate and move or tag; returns its version number."""
    if current and current.candidate == candidate.digest:
        return current.number
    if decision.outcome == "promote":
        keep(candidate, root)
    data = {f"dvc.md5.data.{name}": md5 for name, md5 in candidate.data.items()}
    number = registry.register(
        candidate.digest,
        candidate.models,
        {**entry.tags, **data},
        entry.package if decision.outcome == "promote" else None,
    )
    if decision.outcome == "promote":
        before = current.number if current else None
        registry.promote(number, expected=before, reason=decision.reason)
    else:
        registry.note(number, outcome=decision.outcome, reason=decision.reason)
    return number


def _down(failure: TrackerDownError) -> ToolError:
    return ToolError(
        "MLflow",
        f"does not answer ({failure.found})",
        remedy="nothing was promoted and the answers are kept: run geomag promote again",
    )
