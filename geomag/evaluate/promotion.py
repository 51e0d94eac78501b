"""The gate between a challenger and the champion: promote, keep or undecided, with the reason.

Each benchmark's primary metric is compared pairwise, images drawn together, and corrected by Holm
over the benchmarks, their slices by Holm over all slices of all benchmarks. One that is worse keeps
the champion. docs/decisions/0031-promotion.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from geomag.data.benchmarks import BENCHMARKS, Task
from geomag.data.records import Record
from geomag.evaluate.candidate import Candidate
from geomag.evaluate.score.compare import ALPHA, Comparison, MetricGap, compare
from geomag.evaluate.score.context import ScoringContext
from geomag.metrics.paired import holm

Outcome = Literal["promote", "keep", "undecided"]

PRIMARY: Mapping[Task, str] = {
    Task.REFERRING: "mean_iou",
    Task.GCG: "mean_iou",
    Task.VQA: "average",
    Task.ROC: "semantic_iou",
    Task.CAPTION: "cider",
    Task.SCENE: "accuracy",
}
LEAST_IMAGES = 20
"""Images below which nothing is decided: the bootstrap's p-values are then too small."""
LEAST_RESAMPLES = 1000
"""Resamples that tell a standard error to 2 %; p-values are Student's, and no count of
resamples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One benchmark's test split: challenger minus champion on its primary metric."""

    benchmark: str
    split: str
    metric: str
    challenger: float
    champion: float
    difference: float
    low: float
    high: float
    """95 % paired interval of the difference."""
    p_holm: float
    """P-value after Holm, corrected for all rows of the decision."""
    detectable: float
    """Smallest true difference found 8 times in 10 with these images."""
    n_records: int
    n_images: int
    outcome: str
    """``better``, ``worse`` or ``undecided``."""
    worse_slices: tuple[str, ...] = ()
    """Slices that lost, corrected for all slices of the decision: name, difference, records."""

    @property
    def power_note(self) -> str:
        """What a gain that was seen and not proved would take; empty if there was none."""
        if self.outcome != "undecided" or self.difference <= 0:
            return ""
        seen = f"{self.benchmark} {self.split} {self.metric} {self.difference:+.4f}"
        if self.n_images < LEAST_IMAGES:
            return f"{seen}, but {self.n_images} images decide nothing ({LEAST_IMAGES} do)"
        images = self.n_images * (self.detectable / self.difference) ** 2
        return (
            f"{seen}, but {self.n_images} images can tell {self.detectable:.4f}; "
            f"about {images:.0f} would be needed"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the gate says, and what it looked at."""

    outcome: Outcome
    reason: str
    rows: tuple[Row, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Every field as JSON."""
        return asdict(self)


def decide(
    challenger: Candidate,
    champion: Candidate | None,
    records: Callable[[str], Iterable[Record]],
    context: ScoringContext,
) -> Decision:
    """Compare two candidates on every benchmark that the champion was scored on.

    Args:
        challenger: What has just been scored.
        champion: What it would replace; None if there is none yet.
        records: All records of a benchmark by its name.
        context: Settings; resamples are raised to `LEAST_RESAMPLES`.
    """
    if champion is None:
        return Decision(outcome="promote", reason="first")
    if challenger.digest == champion.digest:
        return Decision(outcome="keep", reason="it is the champion already")
    if gap := incomparable(challenger, champion):
        return Decision(outcome="undecided", reason=gap)
    resamples = max(context.config.resamples, LEAST_RESAMPLES)
    context = replace(context, config=context.config.changed(resamples=resamples))
    comparisons = []
    for name in sorted(champion.predictions):
        known = list(records(name))
        files = challenger.file(name), champion.file(name)
        for split in BENCHMARKS[name].test_splits:
            comparisons.append(compare(name, *files, known, context, split=split))
    return decide_promotion(comparisons)


def incomparable(challenger: Candidate, champion: Candidate) -> str:
    """Why the two were not asked the same; empty if they were."""
    for name, digest in sorted(champion.tests.items()):
        if name not in challenger.tests:
            return f"the challenger has no predictions of {name}, which the champion has"
        if challenger.tests[name] != digest:
            return (
                f"the test set of {name} has changed: {challenger.tests[name]} for the challenger, "
                f"{digest} for the champion"
            )
    return ""


def decide_promotion(comparisons: Sequence[Comparison]) -> Decision:
    """Promote if one row is better and no row and no slice is worse.

    Args:
        comparisons: Challenger first, one a benchmark and test split.
    """
    gaps = [_primary(comparison) for comparison in comparisons]
    adjusted = holm([gap.p_t if gap else 1.0 for gap in gaps])
    worse = _worse_slices(comparisons)
    rows = tuple(
        _row(comparison, gap, p, lost)
        for comparison, gap, p, lost in zip(comparisons, gaps, adjusted, worse, strict=True)
        if gap is not None
    )
    harm = [_said(row) for row in rows if row.outcome == "worse"]
    harm += [f"{row.benchmark} {row.split}, {name}" for row in rows for name in row.worse_slices]
    if harm:
        return Decision(outcome="keep", reason=f"worse: {'; '.join(harm)}", rows=rows)
    if gains := [_said(row) for row in rows if row.outcome == "better"]:
        return Decision(outcome="promote", reason=f"better: {'; '.join(gains)}", rows=rows)
    if notes := [row.power_note for row in rows if row.power_note]:
        return Decision(outcome="undecided", reason="; ".join(notes), rows=rows)
    return Decision(outcome="keep", reason="no benchmark is better", rows=rows)


def _primary(comparison: Comparison) -> MetricGap | None:
    return _named(comparison.gaps, PRIMARY[BENCHMARKS[comparison.benchmark].task])


def _named(gaps: Iterable[MetricGap], metric: str) -> MetricGap | None:
    return next((gap for gap in gaps if gap.metric == metric), None)


def _row(comparison: Comparison, gap: MetricGap, p_holm: float, worse: Sequence[str]) -> Row:
    enough = comparison.n_images >= LEAST_IMAGES
    decided = "better" if gap.difference > 0 else "worse"
    return Row(
        benchmark=comparison.benchmark,
        split=comparison.split,
        metric=gap.metric,
        challenger=gap.first,
        champion=gap.second,
        difference=gap.difference,
        low=gap.low,
        high=gap.high,
        p_holm=p_holm,
        detectable=gap.detectable,
        n_records=comparison.n_records,
        n_images=comparison.n_images,
        outcome=decided if enough and p_holm < ALPHA else "undecided",
        worse_slices=tuple(worse),
    )


def _worse_slices(comparisons: Sequence[Comparison]) -> list[list[str]]:
    """Slices that lost, by comparison, corrected for all of them together.

    A slice of one question type has no average: its own accuracy stands for it.
    """
    found = [
        (index, name, one, _named(one.gaps, PRIMARY[BENCHMARKS[row.benchmark].task]) or one.gaps[0])
        for index, row in enumerate(comparisons)
        for name, one in row.slices.items()
        if one.gaps
    ]
    worse: list[list[str]] = [[] for _ in comparisons]
    adjusted = holm([gap.p_t for *_, gap in found])
    for (index, name, one, gap), p in zip(found, adjusted, strict=True):
        if p < ALPHA and gap.difference < 0:
            said = f"{name} {gap.metric} {gap.difference:+.4f} of {one.n_records} records"
            worse[index].append(said)
    return worse


def _said(row: Row) -> str:
    return (
        f"{row.benchmark} {row.split} {row.metric} {row.difference:+.4f} "
        f"[{row.low:+.4f}, {row.high:+.4f}]"
    )
