"""Referring segmentation: P@t, overall IoU, mean IoU, and where published scorers differ.

protocols/referring#metrics. Everything is computed from integers in float64:
in float32 an exact 0.9 would fail ``>= 0.9``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geomag.geometry import Rle, intersection_and_union, mask_area
from geomag.metrics.masks import resized
from geomag.metrics.tally import Formula, Tally, divide, share

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
LAVT_SIDE = 480
"""Pixels: the LAVT family compares prediction and truth at 480 x 480."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Pixels in both masks and in either."""

    intersection: int
    union: int

    @property
    def iou(self) -> float:
        """Intersection over union in [0, 1]; 0 when both masks are empty."""
        return self.intersection / self.union if self.union else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IouRule:
    """A scorer's convention; the default is LAVT's, which RMSIN, FIANet and RS2-SAM2 share."""

    strict: bool = False
    """P@t counts IoU > t instead of IoU >= t (SegEarth-R1, RSRefSeg2)."""
    both_empty: float = 0.0
    """IoU of an empty prediction against an empty truth."""
    epsilon: float = 0.0
    """Added to each union; LISA and SegEarth-R1 add 1e-5, which turns ``>=`` into ``>``."""
    overall_epsilon: float = 0.0
    """Added to the summed union; LISA adds 1e-10."""


LAVT = IouRule()
STRICT = IouRule(strict=True)
LISA = IouRule(both_empty=1.0, epsilon=1e-5, overall_epsilon=1e-10)


def overlap(prediction: Rle | None, truth: Rle) -> Overlap:
    """Overlap at the annotation's own size; None is an empty prediction."""
    if prediction is None:
        return Overlap(0, mask_area(truth))
    return Overlap(*intersection_and_union(prediction, truth))


def overlap_at(prediction: Rle | None, truth: Rle, side: int = LAVT_SIDE) -> Overlap:
    """Overlap after both masks are shrunk to ``side x side`` by Pillow's nearest neighbour."""
    goal = resized(truth, side, side)
    if prediction is None:
        return Overlap(0, int(np.count_nonzero(goal)))
    answer = resized(prediction, side, side)
    return Overlap(int(np.count_nonzero(answer & goal)), int(np.count_nonzero(answer | goal)))


def overlap_tally(
    overlaps: Sequence[Overlap], images: Sequence[str], rule: IouRule = LAVT
) -> Tally:
    """What the formulas below need, summed per image."""
    inter = np.array([o.intersection for o in overlaps], dtype=np.float64)
    union = np.array([o.union for o in overlaps], dtype=np.float64)
    iou = np.divide(inter, union + rule.epsilon, out=np.zeros_like(inter), where=union > 0)
    iou[union == 0] = rule.both_empty
    columns = {"n": np.ones_like(inter), "iou": iou, "intersection": inter, "union": union}
    for t in THRESHOLDS:
        columns[f"hit_{t}"] = iou > t if rule.strict else iou >= t
    return Tally.of(images, columns)


def formulas(rule: IouRule = LAVT) -> dict[str, Formula]:
    """The seven metrics by their names in score files."""
    table: dict[str, Formula] = {f"precision_at_{t}": share(f"hit_{t}") for t in THRESHOLDS}
    table["overall_iou"] = lambda sums: divide(
        sums["intersection"], sums["union"] + rule.overall_epsilon
    )
    table["mean_iou"] = share("iou")
    return table


def scores(overlaps: Sequence[Overlap], rule: IouRule = LAVT) -> dict[str, float]:
    """All metrics of a list of expressions under one rule; NaN where nothing was counted."""
    tally = overlap_tally(overlaps, [""] * len(overlaps), rule)
    return {name: tally.value(formula) for name, formula in formulas(rule).items()}


def mean_iou(overlaps: Sequence[Overlap]) -> float:
    """MIoU in [0, 1]: mean of one ratio per expression, so each object weighs the same.

    >>> small, large = Overlap(1, 10), Overlap(90, 100)
    >>> round(mean_iou([small, large]), 3), round(overall_iou([small, large]), 3)
    (0.5, 0.827)
    """
    return scores(overlaps)["mean_iou"]


def overall_iou(overlaps: Sequence[Overlap]) -> float:
    """OIoU in [0, 1]: pixels over all expressions in both masks, per pixel in either."""
    return scores(overlaps)["overall_iou"]


def precision_at(threshold: float, overlaps: Sequence[Overlap]) -> float:
    """P@t in [0, 1]: share of expressions with IoU >= t; t is one of `THRESHOLDS`.

    >>> precision_at(0.9, [Overlap(9, 10), Overlap(8, 10)])
    0.5
    """
    return scores(overlaps)[f"precision_at_{threshold}"]
