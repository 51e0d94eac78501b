"""Score predictions of one benchmark: metrics, variants, intervals, baselines, counts.

The JSON contract of `geomag score`. No torch here: a score never needs a GPU.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from geomag.data.benchmarks import BENCHMARKS, Benchmark, Split, Task
from geomag.data.records import Record, read_records
from geomag.errors import AnnotationError, PredictionError
from geomag.evaluate.score import captions, gcg, referring, roc, scenes, vqa
from geomag.evaluate.score.baselines import baselines
from geomag.evaluate.score.context import Evaluation, ScoringContext, tidy
from geomag.evaluate.score.inputs import (
    OURS,
    Joined,
    Keys,
    Prediction,
    gather,
    join,
    read_arms,
)
from geomag.io import file_digest
from geomag.metrics.bootstrap import Resampling, intervals
from geomag.metrics.paired import differences
from geomag.progress import each


class Scorer(Protocol):
    """Rates one set of predictions; ``extras`` off leaves the headline metrics alone."""

    def __call__(
        self, joined: Joined, context: ScoringContext, *, extras: bool = True
    ) -> Evaluation:
        """The metrics and, unless ``extras`` is off, variants, counts and samples."""
        ...


SCORERS: dict[Task, Scorer] = {
    Task.REFERRING: referring.evaluate,
    Task.GCG: gcg.evaluate,
    Task.VQA: vqa.evaluate,
    Task.ROC: roc.evaluate,
    Task.CAPTION: captions.evaluate,
    Task.SCENE: scenes.evaluate,
}
OWN_SCORERS: dict[str, Scorer] = {}
"""Benchmarks with metrics of their own, by name (`geomag.extend`)."""
PRECOMPUTE: dict[Task, Callable[[Sequence[Joined], ScoringContext], None]] = {
    Task.GCG: gcg.precompute,
    Task.ROC: roc.precompute,
    Task.CAPTION: captions.precompute,
}
"""Tasks that need Java or the text encoder: started once for all predictions of a run."""
BLANK_ARM = "blank"
"""Arm that becomes, beside others, the baseline ``blank_image``: what the model says without a
picture."""
SHOWN = 5
"""Ids that a message names."""
UNBOUNDED = ("cider",)
"""Metrics that may exceed 1."""
DIAGNOSTICS = ("crop_recall", "pointing", "tokens", "seconds", "truncated", "flops")
"""Numbers that a predictor may write per row; their means stand under ``counts``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A score file's content, and one row per record for whoever wants to recompute it."""

    score: dict[str, Any]
    samples: dict[str, list[Mapping[str, Any]]]
    """Rows of each arm; nothing when the context keeps none."""


def scorer_of(benchmark: Benchmark) -> Scorer:
    """Scorer of a benchmark: of its own metrics, else of its task's."""
    return OWN_SCORERS.get(benchmark.name) or SCORERS[benchmark.task]


def precompute_of(
    benchmark: Benchmark,
) -> Callable[[Sequence[Joined], ScoringContext], None] | None:
    """What prepares Java or the text encoder; nothing for metrics of somebody else's."""
    return None if benchmark.name in OWN_SCORERS else PRECOMPUTE.get(benchmark.task)


def read_all(benchmark: Benchmark, records: Path, data: Path | None) -> Iterator[Record]:
    """Records of every split: of a records file, or read from a benchmark's own files.

    Raises:
        AnnotationError: When neither is there.
    """
    if data is not None:
        from geomag.data.benchmarks.registry import read_benchmark

        yield from read_benchmark(benchmark.name, data)
    elif records.is_file():
        yield from read_records(records)
    else:
        raise AnnotationError(
            str(records),
            "no such file",
            remedy=f"run `geomag data validate {benchmark.name}`, or give --data or --records",
        )


def score(
    name: str,
    predictions: Path,
    records: Iterable[Record],
    context: ScoringContext,
    *,
    split: Split | None = None,
    keys: Keys = OURS,
) -> Scored:
    """Score a predictions file, or a folder of one per arm.

    Args:
        name: Benchmark.
        predictions: One ``.jsonl``, or a folder with ``magcrop.jsonl`` and other arms.
        records: All splits of the benchmark: ids are checked against them, and baselines
            learn from train.
        context: Settings; its facts are filled here.
        split: Only this one; None is the headline test split, with others under ``splits``.
        keys: What the files call their fields.

    Raises:
        PredictionError: Naming the file, the line or the id; on too many missing predictions
            where the tools do not allow them.
    """
    benchmark = BENCHMARKS[name]
    splits = (split,) if split is not None else benchmark.test_splits
    chosen, context.facts, known = gather(records, splits)
    if not chosen[splits[0]]:
        raise AnnotationError(f"{name}, split {splits[0]}", "no records")
    arms = read_arms(predictions, task=None if name in OWN_SCORERS else benchmark.task, keys=keys)
    parts = {
        (arm, part): join(chosen[part], found, benchmark=benchmark, known=known, place=str(file))
        for arm, file, found in arms
        for part in splits
    }
    if not context.allows_missing:
        for arm, file, _ in arms:
            _refuse_missing(benchmark, [parts[arm, part] for part in splits], context, place=file)
    first = arms[0][0]
    arms = [one for one in arms if one[0] == first or one[0] != BLANK_ARM]
    floors = {}
    for part in splits:
        blank = parts.get((BLANK_ARM, part)) if first != BLANK_ARM else None
        floors[part] = baselines(benchmark.task, parts[first, part], context.facts, blank=blank)
    if precompute := precompute_of(benchmark):
        precompute([*parts.values(), *(j for f in floors.values() for j in f.values())], context)
    base = {part: _baselines(scorer_of(benchmark), floors[part], context) for part in splits}
    return _assemble(benchmark, arms, parts, base, context)


def too_many_missing(task: Task, joined: Joined, context: ScoringContext) -> bool:
    """Whether more records lack a prediction than a reported score may have."""
    config = context.config
    limit = config.max_missing_captions if task is Task.CAPTION else config.max_missing
    return joined.missing > limit * len(joined.records)


def _refuse_missing(
    benchmark: Benchmark, by_split: Sequence[Joined], context: ScoringContext, *, place: Path
) -> None:
    for number, joined in enumerate(by_split):
        if number and joined.is_silent:
            continue  # the headline split alone was answered
        if too_many_missing(benchmark.task, joined, context):
            rows = zip(joined.records, joined.predictions, strict=True)
            absent = [record.id for record, found in rows if found is None]
            split = joined.records[0].split
            raise PredictionError(
                str(place),
                f"{len(absent)} of {len(joined.records)} records of {benchmark.name} {split} have "
                f"no prediction, such as {', '.join(absent[:SHOWN])}",
                "one line a record, an empty answer where there is none",
                "complete the file, or pass --allow-missing to count them as wrong",
            )


def _assemble(
    benchmark: Benchmark,
    arms: Sequence[tuple[str, Path, Mapping[str, Prediction]]],
    parts: Mapping[tuple[str, Split], Joined],
    base: Mapping[Split, dict[str, Any]],
    context: ScoringContext,
) -> Scored:
    splits = list(base)
    first = arms[0][0]
    scored: dict[str, dict[str, Any]] = {}
    evaluations: dict[tuple[str, Split], Evaluation] = {}
    samples: dict[str, list[Mapping[str, Any]]] = {}
    for arm, file, _ in each(arms, f"scoring {benchmark.name}"):
        by_split = {}
        for part in splits:
            joined = parts[arm, part]
            if part is not splits[0] and joined.is_silent:
                continue  # a file with the headline split alone says nothing about the others
            evaluation = evaluations[arm, part] = scorer_of(benchmark)(joined, context)
            by_split[part] = _score_of(benchmark, part, joined, evaluation, context)
            by_split[part]["baselines"] = base[part]
            by_split[part]["protocol"]["predictions_sha256"] = file_digest(file)
            if arm != first and (first, part) in evaluations:
                by_split[part]["gain_of_headline"] = _gain(
                    evaluations[first, part], evaluation, context
                )
            if context.keeps_samples:
                samples.setdefault(arm, []).extend(evaluation.samples)
        scored[arm] = by_split.pop(splits[0])
        if by_split:
            scored[arm]["splits"] = {str(part): found for part, found in by_split.items()}
    headline = scored.pop(first)
    if scored:
        headline["arms"] = scored
    return Scored(score=headline, samples=samples)


def _score_of(
    benchmark: Benchmark,
    split: Split,
    joined: Joined,
    evaluation: Evaluation,
    context: ScoringContext,
) -> dict[str, Any]:
    resampling = Resampling(context.config.resamples, context.config.seed)
    found = intervals(evaluation.estimators, evaluation.n_images, resampling, unbounded=UNBOUNDED)
    counts = dict(evaluation.counts)
    counts["missing_over_limit"] = too_many_missing(benchmark.task, joined, context)
    counts["images"] = evaluation.n_images
    if measured := _diagnostics(joined):
        counts["diagnostics"] = measured
    return {
        "benchmark": benchmark.name,
        "split": str(split),
        "n_records": len(joined.records),
        "protocol": {
            **evaluation.protocol,
            "model_profile": _profiles(joined),
            "interval": "95 % expanded percentile (t, n / (n - 1)), "
            f"{resampling.resamples} resamples of images, seed {resampling.seed}; "
            "exact where all are 0 or 1",
        },
        "metrics": evaluation.metrics(),
        "variants": {name: dict(values) for name, values in evaluation.variants.items()},
        "intervals": {name: list(pair) if pair else None for name, pair in found.items()},
        "counts": counts,
    }


def _profiles(joined: Joined) -> str:
    """Profiles that the predictions say they were made with; empty for other people's."""
    rows = [p.extra for p in joined.predictions if p is not None and p.extra]
    return "+".join(sorted({str(row["profile"]) for row in rows if "profile" in row}))


def _gain(headline: Evaluation, other: Evaluation, context: ScoringContext) -> dict[str, Any]:
    """Headline minus another arm on the same images, paired."""
    resampling = Resampling(context.config.resamples, context.config.seed)
    found = differences(headline.estimators, other.estimators, other.n_images, resampling)
    return {
        name: {
            "difference": tidy(gap.value),
            "interval": [gap.low, gap.high],
            "p_value": tidy(gap.p_value),
        }
        for name, gap in found.items()
    }


def _baselines(
    scorer: Scorer, floors: Mapping[str, Joined], context: ScoringContext
) -> dict[str, Any]:
    return {
        name: scorer(joined, context, extras=False).metrics() for name, joined in floors.items()
    }


def _diagnostics(joined: Joined) -> dict[str, Any]:
    """Means over the rows that have them of what the predictor measured on the way."""
    rows = [p.extra for p in joined.predictions if p is not None and p.extra]
    table: dict[str, Any] = {}
    for key in DIAGNOSTICS:
        values = [float(r[key]) for r in rows if isinstance(r.get(key), (int, float, bool))]
        if values:
            table[key] = {"mean": tidy(sum(values) / len(values)), "n": len(values)}
    levels = [str(r["granularity"]) for r in rows if "granularity" in r]
    if levels:
        table["granularity"] = {level: levels.count(level) for level in sorted(set(levels))}
    return table
