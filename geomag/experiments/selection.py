"""Which of two answers to keep: every margin and agreement, on answers that are asked for once.

The profile's own probe finds the windows. What each rule of `geomag.inference.selection` would have
kept is then arithmetic, so `magcrop.answer_margin` and `magcrop.answer_agreement` are chosen on
validation records, over several trainings with ``geomag experiment pool``.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from geomag.config import Profile, override
from geomag.data.benchmarks import BENCHMARKS
from geomag.data.by_image import by_image
from geomag.data.records import Record
from geomag.experiments.pool import paired, per_record
from geomag.experiments.windows import OPEN, ask, score_of, wanted_of
from geomag.inference.inputs import inputs_through
from geomag.inference.probes import build_probe
from geomag.inference.selection import select_answer
from geomag.metrics.bootstrap import Resampling
from geomag.model.geomag import GeoMag
from geomag.model.model_input import plain_input
from geomag.progress import each

MARGINS = (-0.05, -0.02, 0.0, 0.02, 0.05, 0.08)
AGREEMENTS = (0.5, 0.6, 0.7, 0.8, 1.0)
RULES = {
    f"margin {margin:+.2f}, agreement {agreement:.1f}": {"margin": margin, "agreement": agreement}
    for margin, agreement in product(MARGINS, AGREEMENTS)
}
ALWAYS = "window"
"""The rule that trusts every window, as the paper does."""


def compare_selections(
    model: GeoMag,
    profile: Profile,
    root: Path,
    records: Sequence[Record],
    *,
    log: Callable[[str], None],
) -> dict[str, Any]:
    """Every rule against plain on one benchmark's records.

    Args:
        model: Trained.
        profile: Its settings, which name the probe.
        root: Folder of the pictures.
        records: Of one benchmark; those to choose by are of its validation split.
        log: Told a line a rule, the best first.
    """
    records = by_image(records)
    name = records[0].benchmark
    plain: list[float] = []
    kept: dict[str, list[float]] = {rule: [] for rule in (ALWAYS, *RULES)}
    opened = override(profile, magcrop=OPEN)
    for before, scores in _asked(model, opened, root, records):
        plain.append(before)
        for rule, score in scores.items():
            kept[rule].append(score)
    arms = {rule: np.array(scores) for rule, scores in kept.items()}
    resampling = Resampling(profile.score.resamples, profile.score.seed)
    images = [record.image for record in records]
    gaps = {
        rule: paired(scores, np.array(plain), images, resampling) for rule, scores in arms.items()
    }
    for rule, gap in sorted(gaps.items(), key=lambda item: -item[1].value):
        log(f"{rule:<30} {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]")
    return {
        "bench": "keeping",
        "benchmark": name,
        "rows": {
            rule: {"difference": gap.value, "interval": [gap.low, gap.high]}
            for rule, gap in gaps.items()
        },
        "records": per_record(records, np.array(plain), arms),
    }


def _asked(
    model: GeoMag,
    profile: Profile,
    root: Path,
    records: Sequence[Record],
) -> Iterator[tuple[float, dict[str, float]]]:
    """Yield ``(plain score, score of what each rule keeps)`` of each record."""
    level, probe = BENCHMARKS[records[0].benchmark].granularity, build_probe(model, profile)
    for start in each(range(0, len(records), profile.predict.batch), "batches of records"):
        part = records[start : start + profile.predict.batch]
        wanted = wanted_of(part, root, profile, level)
        plain = ask(model, wanted, [plain_input(w.image, profile) for w in wanted], profile)
        found = probe.find(wanted)
        through = ask(model, wanted, inputs_through(wanted, found, profile), profile)
        for record, where, one, other in zip(part, found, plain, through, strict=True):
            scores = {id(answer): score_of(record, answer) for answer in (one, other)}
            window = other if where.boxes else one
            kept = {rule: select_answer(one, window, **limits) for rule, limits in RULES.items()}
            kept[ALWAYS] = window
            yield scores[id(one)], {rule: scores[id(answer)] for rule, answer in kept.items()}
