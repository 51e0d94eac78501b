"""Compare two sets of predictions on the same records: paired by image, corrected for many metrics.

Three outcomes per metric: better, worse, undecided. "Undecided" is a result: the smallest
difference that the test could have found is given beside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.data.benchmarks import BENCHMARKS, Benchmark, Split, Task
from geomag.data.records import Record
from geomag.errors import AnnotationError
from geomag.evaluate.score.context import Evaluation, ScoringContext, tidy
from geomag.evaluate.score.inputs import Joined, gather, join, read_predictions
from geomag.evaluate.score.referring import size_name
from geomag.evaluate.score.run import precompute_of, scorer_of
from geomag.geometry import mask_area
from geomag.metrics.bootstrap import Resampling
from geomag.metrics.paired import differences, holm

LEAST = 20
"""Records that a slice needs to be compared, and images: 20 records may be of one."""
ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricGap:
    """One metric of A against B."""

    metric: str
    first: float
    second: float
    difference: float
    """First minus second."""
    low: float
    high: float
    """95 % paired interval of the difference, images drawn together."""
    p_value: float
    p_t: float
    """The same by Student's t, for corrections over many slices."""
    p_holm: float
    """P-value after Holm, corrected for all metrics of the table."""
    detectable: float
    """Smallest true difference found 8 times in 10 with these images."""

    @property
    def outcome(self) -> str:
        """``better``, ``worse`` or ``undecided``, at 5 % after Holm's correction."""
        if self.p_holm >= ALPHA:
            return "undecided"
        return "better" if self.difference > 0 else "worse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A against B on the records of one question type, class, or size of the target."""

    n_records: int
    n_images: int
    gaps: tuple[MetricGap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A against B on one split, and on each slice large enough."""

    benchmark: str
    split: str
    n_records: int
    n_images: int
    gaps: tuple[MetricGap, ...]
    slices: Mapping[str, Slice]
    """Gaps by question type, class, or size of the target."""

    def to_json(self) -> dict[str, Any]:
        """All numbers with their outcomes."""
        return {
            "benchmark": self.benchmark,
            "split": self.split,
            "n_records": self.n_records,
            "n_images": self.n_images,
            "metrics": {gap.metric: _row(gap) for gap in self.gaps},
            "slices": {
                name: {
                    "n_records": one.n_records,
                    "n_images": one.n_images,
                    "metrics": {gap.metric: _row(gap) for gap in one.gaps},
                }
                for name, one in self.slices.items()
            },
        }


def _row(gap: MetricGap) -> dict[str, Any]:
    return {
        "first": tidy(gap.first),
        "second": tidy(gap.second),
        "difference": tidy(gap.difference),
        "interval": [gap.low, gap.high],
        "p_value": tidy(gap.p_value),
        "p_holm": tidy(gap.p_holm),
        "detectable": tidy(gap.detectable),
        "outcome": gap.outcome,
    }


def compare(
    name: str,
    first: Path,
    second: Path,
    records: Iterable[Record],
    context: ScoringContext,
    *,
    split: Split | None = None,
) -> Comparison:
    """Compare two predictions files of one benchmark.

    Args:
        name: Benchmark.
        first: Predictions whose advantage is asked for (the challenger).
        second: Predictions to compare with (the champion).
        records: All splits of the benchmark.
        context: Settings.
        split: None is the headline test split.

    Raises:
        PredictionError: As `geomag.evaluate.score.run.score` does.
    """
    benchmark = BENCHMARKS[name]
    part = split or benchmark.test_splits[0]
    chosen, context.facts, known = gather(records, (part,))
    if not chosen[part]:
        raise AnnotationError(f"{name}, split {part}", "no records")
    a, b = (_joined(benchmark, path, chosen[part], known) for path in (first, second))
    if precompute := precompute_of(benchmark):
        precompute([a, b], context)
    n_images, gaps = _gaps(benchmark, a, b, context)
    found: dict[str, Slice] = {}
    for label, members in _slices(benchmark.task, a.records).items():
        n_shown = len({a.records[i].image for i in members})
        if n_shown >= LEAST and len(members) < len(a.records):
            pair = [_subset(joined, members) for joined in (a, b)]
            _, of_slice = _gaps(benchmark, pair[0], pair[1], context)
            found[label] = Slice(n_records=len(members), n_images=n_shown, gaps=of_slice)
    return Comparison(
        benchmark=name,
        split=str(part),
        n_records=len(a.records),
        n_images=n_images,
        gaps=gaps,
        slices=found,
    )


def _joined(
    benchmark: Benchmark, path: Path, records: Sequence[Record], known: Iterable[str]
) -> Joined:
    predictions = read_predictions(path, task=benchmark.task)
    return join(records, predictions, benchmark=benchmark, known=known, place=str(path))


def _gaps(
    benchmark: Benchmark, a: Joined, b: Joined, context: ScoringContext
) -> tuple[int, tuple[MetricGap, ...]]:
    scorer = scorer_of(benchmark)
    first, second = (scorer(joined, context, extras=False) for joined in (a, b))
    resampling = Resampling(context.config.resamples, context.config.seed)
    return first.n_images, gaps_of(first, second, resampling)


def gaps_of(first: Evaluation, second: Evaluation, resampling: Resampling) -> tuple[MetricGap, ...]:
    """Each metric of both, of the same images in the same order, with Holm's correction."""
    found = differences(first.estimators, second.estimators, first.n_images, resampling)
    adjusted = holm([gap.p_value for gap in found.values()])
    values = first.metrics(), second.metrics()
    return tuple(
        MetricGap(
            metric=metric,
            first=values[0][metric] or 0.0,
            second=values[1][metric] or 0.0,
            difference=gap.value,
            low=gap.low,
            high=gap.high,
            p_value=gap.p_value,
            p_t=gap.p_t,
            p_holm=p,
            detectable=gap.detectable,
        )
        for (metric, gap), p in zip(found.items(), adjusted, strict=True)
    )


def _slices(task: Task, records: tuple[Record, ...]) -> dict[str, list[int]]:
    """Record numbers by slice; captions and descriptions have none."""
    table: dict[str, list[int]] = {}
    for i, record in enumerate(records):
        if task in (Task.REFERRING, Task.VQA, Task.ROC, Task.SCENE) and record.kind:
            table.setdefault(record.kind, []).append(i)
        if task is Task.REFERRING and record.masks:
            table.setdefault(f"size: {size_name(mask_area(record.masks[0]), record)}", []).append(i)
    return dict(sorted(table.items()))


def _subset(joined: Joined, members: list[int]) -> Joined:
    return Joined(
        tuple(joined.records[i] for i in members), tuple(joined.predictions[i] for i in members)
    )
