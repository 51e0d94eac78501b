"""Which windows help: crop recall, pointing and paired scores of every probe against plain.

One pass over the records asks the plain answer and, for each arm, the answer through its window
with the gates open. What a gate would have done is then arithmetic: where it closes, the answer is
the plain one. So the threshold is chosen on validation records and judged on test records.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomag.config import Profile, override
from geomag.data.benchmarks import BENCHMARKS, Granularity, Task
from geomag.data.by_image import by_image, read_each_once
from geomag.data.records import Record
from geomag.evaluate.predict import crop_quality
from geomag.experiments.pool import paired, per_record
from geomag.geometry import decode_mask, encode_mask, union_of
from geomag.inference.inputs import inputs_through
from geomag.inference.probes import (
    AttentionProbe,
    JointProbe,
    MaskProbe,
    OracleProbe,
    ProbeRequest,
    RandomProbe,
    WindowProbe,
)
from geomag.inference.prompt import record_prompt
from geomag.inference.selection import resolve_answers
from geomag.metrics.bootstrap import Resampling
from geomag.metrics.segmentation import overlap
from geomag.model.geomag import GeoMag
from geomag.model.model_input import ModelInput, plain_input
from geomag.model.query import ModelAnswer, Query
from geomag.progress import each

OPEN = {"gate": 0.0, "mask_gate": 0.0}
NEVER = 1.01
"""A gate that no confidence passes."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Treatment:
    """One way of finding windows."""

    name: str
    profile: Profile
    """Settings by which a window is used."""
    probe: WindowProbe
    gate: str = ""
    """Setting that its confidence is held against; empty: none."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One arm on records, in order."""

    scores: Floats
    """Score of each record: IoU, or 1 for the right words."""
    confidence: Floats
    has_window: NDArray[np.bool_]
    crop_recall: Floats
    """Crop recall of each record; NaN where it has no target."""
    pointing: Floats
    """Whether the map peaks on the target, by record; NaN without a map."""


def arms(model: GeoMag, profile: Profile, *, seed: int = 0) -> list[Treatment]:
    """Every probe and the controls, their windows trusted, and then the surer answer kept."""
    free = override(profile, magcrop={**OPEN, "answer_selection": "window"})
    gated = override(profile, magcrop={"answer_selection": "window"})
    by_confidence = override(profile, magcrop={**OPEN, "answer_selection": "confidence"})
    trusted = [
        Treatment("attention", free, AttentionProbe(model, free), "gate"),
        Treatment("mask", free, MaskProbe(model, free), "mask_gate"),
        Treatment("attention+mask", gated, JointProbe(model, gated)),
        Treatment("oracle", free, OracleProbe(free)),
        Treatment("random", free, RandomProbe(free, seed=seed)),
    ]
    return trusted + [Treatment(f"{a.name}, confidence", by_confidence, a.probe) for a in trusted]


def run(
    model: GeoMag,
    records: Sequence[Record],
    root: Path,
    ways: Sequence[Treatment],
    *,
    granularity: Granularity,
) -> tuple[Floats, dict[str, Trial]]:
    """Plain scores, and a trial of every arm.

    Args:
        model: Asked by every way.
        records: Of one benchmark, image by image.
        root: Folder of their pictures.
        ways: The first one's profile sets batch and wording.
        granularity: G of all of them, so that only windows differ.
    """
    profile = ways[0].profile
    plain: list[float] = []
    rows: dict[str, list[tuple[float, float, bool, float, float]]] = {arm.name: [] for arm in ways}
    for start in each(range(0, len(records), profile.predict.batch), "batches of records"):
        part = records[start : start + profile.predict.batch]
        wanted = wanted_of(part, root, profile, granularity)
        model_inputs = [plain_input(w.image, profile) for w in wanted]
        answers = ask(model, wanted, model_inputs, profile)
        plain += [score_of(r, a) for r, a in zip(part, answers, strict=True)]
        for arm in ways:
            rows[arm.name] += _try(model, arm, part, wanted, answers)
    trials = {}
    for name, found in rows.items():
        columns = np.array(found, dtype=np.float64).reshape(-1, 5).T
        score, sure, has, recall, pointing = columns
        trials[name] = Trial(score, sure, has.astype(bool), recall, pointing)
    return np.array(plain), trials


def wanted_of(
    records: Sequence[Record], root: Path, profile: Profile, granularity: Granularity
) -> list[ProbeRequest]:
    """What a probe is asked about each record, in the profile's words."""
    prompts = [record_prompt(record, profile.prompt) for record in records]
    return [
        ProbeRequest(
            image=image,
            prompt=prompt.text,
            probe_prompt=prompt.probe(profile.prompt.probe),
            granularity=granularity,
            truth=decode_mask(union_of(record.masks)) if record.masks else None,
        )
        for image, record, prompt in zip(
            read_each_once(root, records), records, prompts, strict=True
        )
    ]


def ask(
    model: GeoMag,
    wanted: Sequence[ProbeRequest],
    model_inputs: Sequence[ModelInput],
    profile: Profile,
) -> list[ModelAnswer]:
    """Answers of the model about these inputs, in order."""
    queries = [
        Query(model_input, w.prompt, *w.image.shape[:2])
        for model_input, w in zip(model_inputs, wanted, strict=True)
    ]
    most = profile.predict.max_new_tokens
    answers: list[ModelAnswer] = model.answer(queries, max_new_tokens=most)
    return answers


def _try(
    model: GeoMag,
    arm: Treatment,
    records: Sequence[Record],
    wanted: Sequence[ProbeRequest],
    plain: Sequence[ModelAnswer],
) -> list[tuple[float, float, bool, float, float]]:
    found = arm.probe.find(wanted)
    model_inputs = inputs_through(wanted, found, arm.profile)
    rows = []
    known = [replace(one, plain=answer) for one, answer in zip(found, plain, strict=True)]
    answers = resolve_answers(
        model,
        arm.profile.magcrop,
        ask(model, wanted, model_inputs, arm.profile),
        known,
        _known,
        max_new_tokens=arm.profile.predict.max_new_tokens,
    )
    for record, one, answer in zip(records, found, answers, strict=True):
        quality = crop_quality(record, one)
        recall, pointing = (quality.get(k, float("nan")) for k in ("crop_recall", "pointing"))
        rows.append((score_of(record, answer), one.confidence, bool(one.boxes), recall, pointing))
    return rows


def _known(index: int) -> Query:
    raise AssertionError(f"the plain answer of question {index} is at hand")


def score_of(record: Record, answer: ModelAnswer) -> float:
    """IoU of the first mask in referring tasks, else 1 for the reference's own words."""
    if record.task is Task.REFERRING:
        drawn = encode_mask(answer.masks[0]) if answer.masks else None
        return overlap(drawn, union_of(record.masks)).iou
    return float(answer.text.strip().lower() in {a.strip().lower() for a in record.answers})


def calibrate(plain: Floats, trial: Trial) -> float:
    """The least confidence at which to trust a window, so that the mean score is highest.

    Returns:
        A threshold for the gate: windows below it are not used. 0 trusts all of them, `NEVER` none:
        they did not help.
    """
    choices: list[float] = [0.0, *np.unique(trial.confidence).tolist(), NEVER]
    means = [gated(plain, trial, gate).mean() for gate in choices]
    return choices[int(np.argmax(np.round(means, 12)))]


def gated(plain: Floats, trial: Trial, gate: float) -> Floats:
    """Scores with the plain answer where the window is doubtful."""
    return np.where(trial.confidence >= gate, trial.scores, plain)


def summary(
    records: Sequence[Record], plain: Floats, scores: Floats, trial: Trial, resampling: Resampling
) -> dict[str, Any]:
    """Means, and the paired difference to plain with an interval over images."""
    gap = paired(scores, plain, [r.image for r in records], resampling)
    return {
        "score": float(scores.mean()),
        "plain": float(plain.mean()),
        "difference": gap.value,
        "interval": [gap.low, gap.high],
        "windows": float(trial.has_window.mean()),
        "crop_recall": _mean(trial.crop_recall),
        "pointing": _mean(trial.pointing),
    }


def _mean(values: Floats) -> float | None:
    real = values[np.isfinite(values)]
    return float(real.mean()) if real.size else None


def compare_windows(
    model: GeoMag,
    profile: Profile,
    root: Path,
    validation: Sequence[Record],
    test: Sequence[Record],
    *,
    log: Callable[[str], None],
) -> dict[str, Any]:
    """All arms on a benchmark; gates calibrated on its validation records, if there are any."""
    name = test[0].benchmark
    level, ways = BENCHMARKS[name].granularity, arms(model, profile)
    resampling = Resampling(profile.score.resamples, profile.score.seed)
    gates: dict[str, float] = {}
    if validation:
        log(f"{name}: calibrating gates on {len(validation)} validation records")
        records = by_image(validation)
        calibrated = [arm for arm in ways if arm.gate]
        plain, trials = run(model, records, root, calibrated, granularity=level)
        gates = {arm.gate: calibrate(plain, trials[arm.name]) for arm in calibrated}
    log(f"{name}: {len(test)} test records")
    records = by_image(test)
    plain, trials = run(model, records, root, ways, granularity=level)
    rows = {}
    for arm in ways:
        trial = trials[arm.name]
        rows[arm.name] = summary(records, plain, trial.scores, trial, resampling)
        if arm.gate in gates:
            closed = gated(plain, trial, gates[arm.gate])
            rows[f"{arm.name}, gated"] = summary(records, plain, closed, trial, resampling)
    for label, row in rows.items():
        log(line(label, row))
    return {
        "bench": "windows",
        "benchmark": name,
        "gates": gates,
        "rows": rows,
        "records": per_record(records, plain, {n: t.scores for n, t in trials.items()}),
    }


def line(label: str, row: dict[str, Any]) -> str:
    """Row printed to the terminal."""
    low, high = row["interval"]
    seen = (f"{row[k]:.2f}" if row[k] is not None else "-" for k in ("crop_recall", "pointing"))
    recall, pointing = seen
    return (
        f"{label:<22} score {row['score']:.3f}  plain {row['plain']:.3f}  "
        f"difference {row['difference']:+.3f} [{low:+.3f}, {high:+.3f}]  "
        f"windows {row['windows']:.2f}  crop recall {recall}  pointing {pointing}"
    )
