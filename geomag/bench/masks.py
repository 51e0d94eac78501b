"""Mask metrics on runs against the loop that published scorers use, on the same predictions."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from geomag.bench.score import made_up
from geomag.data.benchmarks import Task
from geomag.data.benchmarks.table import first_of
from geomag.geometry import BoolMask, Rle, decode_mask
from geomag.metrics.segmentation import THRESHOLDS, overlap, scores


def bench_masks(*, n_masks: int = 1000, log: Callable[[str], None]) -> dict[str, Any]:
    """Time the referring metrics three ways on made-up masks of 800 x 800.

    Args:
        n_masks: Expressions.
        log: Called with one line per way.

    Raises:
        RuntimeError: If a value differs by more than 1e-12.
    """
    referring = first_of(Task.REFERRING).name
    pairs = [
        (record.masks[0], answer["masks"][0])
        for (record, answer), _ in zip(made_up(referring), range(n_masks), strict=False)
    ]
    ours, on_runs = _timed(lambda: scores([overlap(answer, truth) for truth, answer in pairs]))
    looped, decoding = _timed(lambda: lavt_scores(pairs))
    decoded = [(decode_mask(truth), decode_mask(answer)) for truth, answer in pairs[:50]]
    _, in_memory = _timed(lambda: lavt_loop(decoded))
    gap = max(abs(ours[name] - value) for name, value in looped.items())
    if gap > 1e-12:
        raise RuntimeError(f"metrics differ by {gap} from the loop's")
    loop_us = {"decoding": 1e6 * decoding / len(pairs), "in_memory": 1e6 * in_memory / len(decoded)}
    mine_us = 1e6 * on_runs / len(pairs)
    log(f"on runs           {mine_us:>8.1f} us a mask")
    for name, spent in loop_us.items():
        log(f"LAVT, {name:<12}{spent:>8.1f} us a mask, {spent / mine_us:.1f} times as long")
    return {
        "masks": len(pairs),
        "us_on_runs": round(mine_us, 2),
        "us_loop": {name: round(spent, 2) for name, spent in loop_us.items()},
        "times": {name: round(spent / mine_us, 2) for name, spent in loop_us.items()},
        "largest_difference": gap,
    }


def lavt_scores(pairs: Sequence[tuple[Rle, Rle]]) -> dict[str, float]:
    """LAVT's loop on RLE files: each pair ``(truth, answer)`` is unpacked, then counted."""
    return lavt_loop((decode_mask(truth), decode_mask(answer)) for truth, answer in pairs)


def lavt_loop(pairs: Any) -> dict[str, float]:
    """Scores of ``(truth, answer)`` masks ``bool [H, W]``, counted as LAVT's test script does."""
    cum_inter, cum_union, ious = 0, 0, []
    correct = np.zeros(len(THRESHOLDS))
    for truth, answer in pairs:
        inter, union = _count(truth, answer)
        iou = 0.0 if union == 0 else inter * 1.0 / union
        ious.append(iou)
        cum_inter, cum_union = cum_inter + inter, cum_union + union
        for k, threshold in enumerate(THRESHOLDS):
            correct[k] += iou >= threshold
    found = {"mean_iou": float(np.mean(ious)), "overall_iou": cum_inter * 1.0 / cum_union}
    return found | {
        f"precision_at_{t}": float(correct[k] / len(ious)) for k, t in enumerate(THRESHOLDS)
    }


def _count(truth: BoolMask, answer: BoolMask) -> tuple[int, int]:
    inter = int(np.sum(np.logical_and(answer, truth)))
    return inter, int(np.sum(np.logical_or(answer, truth)))


def _timed(work: Callable[[], dict[str, float]]) -> tuple[dict[str, float], float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started
