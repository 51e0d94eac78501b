"""Hours of the full line on this machine, from what the rehearsal's stages took."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from geomag.config import Profile
from geomag.data.benchmarks import Benchmark, Split, Task, chosen_benchmarks
from geomag.rehearse.line import Done
from geomag.rehearse.watched import Part

ANSWER_TOKENS = {
    Task.REFERRING: 5,
    Task.GCG: 120,
    Task.VQA: 3,
    Task.ROC: 4,
    Task.CAPTION: 16,
    Task.SCENE: 4,
}
"""Tokens of a usual answer, the end token counted; the rehearsal's sentence is as long for all."""


@dataclass(frozen=True, slots=True)
class Projected:
    """One stage of the full line."""

    stage: str
    records: int
    """Records of the published counts that it works on; 0: the stage as it is."""
    per_record_s: float
    set_up_s: float

    @property
    def hours(self) -> float:
        """Hours on this machine, as it was while the rehearsal ran."""
        return (self.set_up_s + self.records * self.per_record_s) / 3600


def project(profile: Profile, done: Sequence[Done]) -> Iterator[Projected]:
    """Each stage of the full line, from the rehearsed stage of its own or a like benchmark.

    Args:
        profile: The one that is rehearsed, not the rehearsal's own.
        done: What has run; a stage that has not is left out.
    """
    by_stage = {(one.step.stage, one.step.benchmark, _arm(one)): one for one in done}
    for stage in ("base", "granularity"):
        if (one := by_stage.get((stage, "", ""))) is not None:
            yield Projected(stage, 0, 0.0, one.figures.seconds)
    chosen = chosen_benchmarks(profile.benchmarks)
    for spec in chosen:
        one = _like(by_stage, "crops", spec, "")
        if one is not None and spec.crops:
            each = one.figures.work_s / max(1, one.records)
            yield Projected(
                f"crops {spec.name}",
                _probed(spec, profile.train.most_records),
                each,
                one.figures.set_up_s,
            )
    if (one := by_stage.get(("train", "", ""))) is not None:
        each = one.figures.work_s / max(1, one.records)
        drawn = profile.train.steps * profile.train.batch
        yield Projected("train", drawn, each, one.figures.set_up_s)
    for spec in chosen:
        for arm in spec.arms:
            one = _like(by_stage, "predict", spec, arm)
            if one is not None:
                each = answer_seconds(one, ANSWER_TOKENS[spec.task])
                name = f"predict {spec.name} {arm}"
                yield Projected(name, _tested(spec), each, one.figures.set_up_s)


def answer_seconds(done: Done, tokens: int) -> float:
    """Seconds of an answer of ``tokens`` tokens, where the rehearsal's had others."""
    figures, records = done.figures, max(1, done.records)
    write = figures.parts.get("write", Part())
    said = write.positions / records
    each = write.seconds / max(1, write.positions)
    return figures.work_s / records + (tokens - 1 - said) * each


def tokens_per_second(done: Sequence[Done]) -> dict[str, float]:
    """Positions a second of each kind of pass over all stages (`Figures.parts`)."""
    found: dict[str, Part] = {}
    for one in done:
        for kind, part in one.figures.parts.items():
            total = found.setdefault(kind, Part())
            total.positions += part.positions
            total.seconds += part.seconds
    return {kind: part.positions / part.seconds for kind, part in found.items() if part.seconds}


def _like(
    by_stage: dict[tuple[str, str, str], Done], stage: str, spec: Benchmark, arm: str
) -> Done | None:
    """The stage of this benchmark, else of one of the same task."""
    own = by_stage.get((stage, spec.name, arm))
    if own is not None:
        return own
    names = {one.name for one in chosen_benchmarks() if one.task is spec.task}
    like = (
        one for (s, name, a), one in by_stage.items() if (s, a) == (stage, arm) if name in names
    )
    return next(like, None)


def _arm(done: Done) -> str:
    return done.step.arguments[-1] if done.step.stage == "predict" else ""


def _tested(spec: Benchmark) -> int:
    """Published test records; scene sets have one list, which is all test."""
    found = sum(spec.counts.get(str(split), 0) for split in spec.test_splits)
    return found or sum(spec.counts.values())


def _probed(spec: Benchmark, most: int) -> int:
    """Test records, and those of the train split that training keeps and looks at through Eq 4."""
    trained = sum(n for name, n in spec.counts.items() if str(Split.TRAIN) in name.split("+"))
    kept = min(trained, most) if most else trained
    return _tested(spec) + (kept if spec.trains else 0)
