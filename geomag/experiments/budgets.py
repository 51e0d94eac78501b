"""Scores against visual tokens: one adapter at several budgets, by each way to fewer tokens.

A budget binds the plain look and the one through windows alike. ``native`` cuts views smaller,
``pooled`` averages the features of views at the tower's own size, and ``pruned`` keeps the tokens
of most heat of the whole image (protocols/model#visual-tokens).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from geomag.config import Profile, override
from geomag.data.benchmarks import BENCHMARKS
from geomag.data.by_image import by_image
from geomag.data.records import Record
from geomag.experiments.pool import paired, per_record
from geomag.experiments.windows import Floats, Treatment, run
from geomag.inference.probes import AttentionProbe, build_probe
from geomag.metrics.bootstrap import Resampling
from geomag.model.geomag import GeoMag

GRIDS = (6, 8, 10, 12, 16, 20, 24)
"""Tokens a side whose squares are the budgets: protocols/model#visual-tokens, and two."""


def budgets(profile: Profile) -> list[int]:
    """Budgets that a profile's tower has, its own last."""
    full = profile.vlm.image_px // profile.vlm.patch_px
    return [g**2 for g in GRIDS if g < full] + [full**2]


def compare_budgets(
    model: GeoMag,
    profile: Profile,
    root: Path,
    records: Sequence[Record],
    *,
    log: Callable[[str], None],
) -> dict[str, Any]:
    """Every budget and way on a benchmark's records, against the plain answer with all tokens.

    Args:
        model: Trained.
        profile: Its settings; `train.budgets` says which budgets it has seen.
        root: Folder of the pictures.
        records: Of one benchmark.
        log: Told of progress and each row.
    """
    shown = by_image(records)
    name, images = shown[0].benchmark, [r.image for r in shown]
    resampling = Resampling(profile.score.resamples, profile.score.seed)
    found: dict[str, tuple[int, Floats]] = {}
    *fewer, full = budgets(profile)
    for budget in (full, *fewer):
        ways = ("native",) if budget == full else ("native", "pooled")
        for way in ways:
            log(f"{name}: {way}, {budget} tokens")
            arms = _arms(model, profile, way, budget)
            plain, trials = run(model, shown, root, arms, granularity=BENCHMARKS[name].granularity)
            found[f"plain, {way}, {budget}"] = (budget, plain)
            found |= {arm: (budget, trial.scores) for arm, trial in trials.items()}
    anchor = found[f"plain, native, {full}"][1]
    rows = []
    for label, (budget, scores) in found.items():
        gap = paired(scores, anchor, images, resampling)
        row = {"way": label, "budget": budget, "score": float(scores.mean())}
        rows.append(row | {"difference": gap.value, "interval": [gap.low, gap.high]})
        log(line(rows[-1]))
    scores_of = {label: scores for label, (_, scores) in found.items()}
    return {
        "bench": "budgets",
        "benchmark": name,
        "rows": rows,
        "records": per_record(shown, anchor, scores_of),
    }


def _arms(model: GeoMag, profile: Profile, way: str, budget: int) -> list[Treatment]:
    """The profile's own MagCrop within the budget and, beside the pooled one, the pruned image."""
    own = override(profile, magcrop={"budget": budget, "fewer": way})
    arms = [Treatment(f"magcrop, {way}, {budget}", own, build_probe(model, own))]
    if way == "pooled":  # pruning without heat pools, so both have the same plain answer
        asked = {"budget": budget, "fewer": "prune", "answer_selection": "window", "view": "tokens"}
        whole = override(profile, magcrop=asked, encoder={"input": "original"})
        arms.append(Treatment(f"pruned, {budget}", whole, AttentionProbe(model, whole)))
    return arms


def line(row: dict[str, Any]) -> str:
    """Row printed to the terminal."""
    low, high = row["interval"]
    return (
        f"{row['way']:<24} score {row['score']:.3f}  "
        f"against plain with all tokens {row['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"
    )
