"""Score referring segmentation (RRSIS-D, RefSegRS): Table 1's columns and their variants."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from geomag.data.records import Record
from geomag.evaluate.score.context import Evaluation, ScoringContext, tidied
from geomag.evaluate.score.inputs import Joined
from geomag.geometry import Rle, encode_mask, mask_area, union_of
from geomag.metrics.segmentation import (
    LAVT,
    LAVT_SIDE,
    LISA,
    STRICT,
    IouRule,
    Overlap,
    formulas,
    overlap,
    overlap_at,
    overlap_tally,
    scores,
)

SIZES = ((0.001, "tiny"), (0.01, "small"), (0.1, "medium"), (1.01, "large"))
"""Upper bounds of the target's share of the image; tiny is below a thousandth."""


def evaluate(joined: Joined, context: ScoringContext, *, extras: bool = True) -> Evaluation:
    """Overlaps at native size; variants at 480 and under other scorers' rules."""
    truths = [_truth(record) for record in joined.records]
    answers = [p.masks[0] if p is not None and p.masks else None for p in joined.predictions]
    native = [overlap(a, t) for a, t in zip(answers, truths, strict=True)]
    rule = IouRule(both_empty=context.config.both_empty)
    tally = overlap_tally(native, joined.images, rule)
    estimators = {name: tally.estimator(f) for name, f in formulas(rule).items()}
    if not extras:
        return Evaluation(n_images=len(tally.groups), estimators=estimators)
    shrunk = [overlap_at(a, t) for a, t in zip(answers, truths, strict=True)]
    areas = [mask_area(truth) for truth in truths]
    return Evaluation(
        n_images=len(tally.groups),
        estimators=estimators,
        variants=_variants(joined.records, native, shrunk, areas),
        counts={
            "missing": joined.missing,
            "empty": sum(a is None or mask_area(a) == 0 for a in answers),
            "unparsed": sum(p is not None and not p.masks for p in joined.predictions),
            "several_masks": sum(p is not None and len(p.masks) > 1 for p in joined.predictions),
            "empty_truth": sum(area == 0 for area in areas),
            "mask_resized": sum("mask_resized" in record.notes for record in joined.records),
        },
        protocol={
            "compared_at": f"native size; variant {LAVT_SIDE} by Pillow nearest",
            "threshold": "IoU >= t, float64 from integers",
            "both_empty": context.config.both_empty,
            "mask": "the first of an answer",
        },
        samples=(
            {"id": r.id, "image": r.image, "intersection": o.intersection, "union": o.union}
            for r, o in zip(joined.records, native, strict=True)
        ),
    )


def _truth(record: Record) -> Rle:
    if not record.masks:
        return encode_mask(np.zeros((record.height, record.width), dtype=bool))
    return record.masks[0] if len(record.masks) == 1 else union_of(record.masks)


def size_name(area: int, record: Record) -> str:
    """Which of `SIZES` a target of ``area`` pixels is."""
    part = area / (record.width * record.height)
    return next(name for bound, name in SIZES if part < bound)


def _variants(
    records: Sequence[Record],
    native: Sequence[Overlap],
    shrunk: Sequence[Overlap],
    areas: Sequence[int],
) -> dict[str, dict[str, Any]]:
    lisa, strict = scores(native, LISA), scores(native, STRICT)
    table: dict[str, dict[str, Any]] = {
        "native": tidied(scores(native, LAVT)),
        str(LAVT_SIDE): tidied(scores(shrunk, LAVT)),
        "lisa": tidied({name: lisa[name] for name in ("mean_iou", "overall_iou")}),
        "strict": tidied({k: v for k, v in strict.items() if k.startswith("precision")}),
        "both_empty_one": tidied(scores(native, IouRule(both_empty=1.0))),
    }
    sizes = [size_name(area, record) for area, record in zip(areas, records, strict=True)]
    table["by_size"] = _grouped(sizes, native)
    table["by_class"] = _grouped([record.kind or "other" for record in records], native)
    return table


def _grouped(names: Sequence[str], overlaps: Sequence[Overlap]) -> dict[str, dict[str, Any]]:
    table = {}
    for name in sorted(set(names)):
        chosen = [o for n, o in zip(names, overlaps, strict=True) if n == name]
        found = scores(chosen)
        kept = {metric: found[metric] for metric in ("precision_at_0.5", "mean_iou")}
        table[name] = {"n": len(chosen), **tidied(kept)}
    return table
