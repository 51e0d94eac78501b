"""Grounded conversation generation: AP50, mean IoU and recall as GLaMM's scorer counts them.

protocols/gcg. Matching is greedy and order-dependent on purpose: that is what
the published columns are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geomag.metrics.tally import Floats

MAX_DETECTIONS = 100
"""Masks of one image that COCO's AP looks at; the rest is lost."""
_RECALL_POINTS = np.linspace(0.0, 1.0, 101)
_COCO_EPSILON = float(np.spacing(1))


@dataclass(frozen=True, slots=True)
class Detections:
    """What AP needs of one image: whether each mask, in order, found a truth of its own."""

    hits: NDArray[np.bool_]
    n_truths: int


def detect(iou: Floats, threshold: float = 0.5) -> Detections:
    """Match masks to truths as COCOeval does: in order, each takes its best free truth.

    Args:
        iou: ``[P, G]`` in [0, 1].
        threshold: Least IoU of a match, reached counts.
    """
    n_masks, n_truths = iou.shape
    free = np.ones(n_truths, dtype=bool)
    hits = np.zeros(min(n_masks, MAX_DETECTIONS), dtype=bool)
    for p in range(len(hits)):
        best, match = min(threshold, 1 - 1e-10), -1
        for g in range(n_truths):
            if free[g] and iou[p, g] >= best:  # of equals the later wins, as in COCOeval
                best, match = float(iou[p, g]), g
        if match >= 0:
            free[match], hits[p] = False, True
    return Detections(hits, n_truths)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Detections of all images in rank order, laid end to end: AP for any weighting of them."""

    hits: NDArray[np.bool_]
    """Whether each detection, in rank order, is a hit."""
    starts: NDArray[np.intp]
    """Positions of each image's masks in ``hits``."""
    n_masks: NDArray[np.intp]
    n_truths: NDArray[np.intp]

    @classmethod
    def of(cls, images: Sequence[Detections]) -> "Ranking":
        """Images in the order of their names sorted as text: the order is the ranking."""
        n_masks = np.array([len(image.hits) for image in images], dtype=np.intp)
        return cls(
            np.concatenate([image.hits for image in images] or [np.zeros(0, dtype=bool)]),
            np.cumsum(n_masks) - n_masks,
            n_masks,
            np.array([image.n_truths for image in images], dtype=np.intp),
        )

    def average_precision(self, weights: Floats | None = None) -> float:
        """AP at 101 recall points; an image counts as often as ``weights`` ``[G]`` say."""
        times = np.ones(len(self.n_masks)) if weights is None else weights
        images = np.repeat(np.arange(len(self.n_masks)), times.astype(np.intp))
        n_truths = int(self.n_truths[images].sum())
        if n_truths == 0:
            return float("nan")
        lengths = self.n_masks[images]
        shift = self.starts[images] - (np.cumsum(lengths) - lengths)
        hits = self.hits[np.arange(lengths.sum()) + np.repeat(shift, lengths)]
        if hits.size == 0:
            return 0.0
        right = np.cumsum(hits).astype(np.float64)
        precision = right / (np.arange(1, hits.size + 1) + _COCO_EPSILON)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(right / n_truths, _RECALL_POINTS, side="left")
        found = np.where(at < hits.size, envelope[np.minimum(at, hits.size - 1)], 0.0)
        return float(found.mean())


def average_precision(images: Sequence[Detections], weights: Floats | None = None) -> float:
    """AP of images in rank order, all confidences equal; see `Ranking`.

    >>> both = Detections(np.array([True, True, False]), 3), Detections(np.array([False]), 1)
    >>> round(average_precision(both), 5)
    0.50495
    """
    return Ranking.of(images).average_precision(weights)


def greedy_mean_iou(iou: Floats) -> float:
    """Mean IoU of one image: take the largest entry, drop its row and column, repeat.

    Masks without a partner on either side cost nothing; no pair above 0 scores 0. A NaN (two
    empty masks, in GLaMM's own arithmetic) ends the loop with 0.

    >>> greedy_mean_iou(np.array([[0.8, 0.75], [0.7, 0.0]]))
    0.8
    """
    left, taken = iou.copy(), []
    while left.size:
        value = float(left.max())
        if np.isnan(value):
            return 0.0
        if value == 0:
            break
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        taken.append(value)
        left = np.delete(np.delete(left, row, axis=0), column, axis=1)
    return float(np.mean(taken)) if taken else 0.0


def recall_matches(iou: Floats, text: Floats | None = None, *, early_stop: bool = True) -> int:
    """Truths of one image found with the right words (protocols/gcg#metrics).

    Args:
        iou: ``[G, P]``, truths by predictions.
        text: Similarity of label and phrase, same shape; None leaves the text test out.
        early_stop: One text miss ends the image, as GLaMM's loop does; else only the pair is out.

    >>> iou, text = np.array([[0.9, 0.2], [0.1, 0.6]]), np.array([[0.49, 0.9], [0.9, 0.9]])
    >>> recall_matches(iou, text), recall_matches(iou, text, early_stop=False)
    (0, 1)
    """
    left, found = iou.copy(), 0
    while left.size:
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        if left[row, column] < 0.5:
            break
        if text is not None and text[row, column] < 0.5:
            if early_stop:
                break
            left[row, column] = 0.0
            continue
        found += 1
        left[row, :] = 0.0
        left[:, column] = 0.0
    return found
