"""Percentile bootstrap over images: records of one image are drawn together.

About 100 questions of RSVQA share an image, so intervals over questions would be too narrow
(protocols/rsvqa#intervals). Draws come from a generator of their own, so the same images give the
same weights: two models on one test set are compared resample by resample.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from geomag.metrics.tally import Estimator, Floats
from geomag.seeds import generator

CHUNK_VALUES = 4_000_000
"""Weights held at once: 32 MB of float64, whatever the number of images."""


@dataclass(frozen=True, slots=True)
class Resampling:
    """How many times images are drawn again, from which seed, and how wide the interval is."""

    resamples: int = 1000
    seed: int = 17
    level: float = 0.95


def weight_chunks(n_images: int, how: Resampling) -> Iterator[Floats]:
    """Yield weights ``[r, n_images]``: how often each image is in each resample."""
    draw = generator("bootstrap", how.seed, n_images)
    per_chunk = max(1, CHUNK_VALUES // max(1, n_images))
    for start in range(0, how.resamples, per_chunk):
        rows = min(per_chunk, how.resamples - start)
        picks = draw.integers(0, n_images, size=(rows, n_images))
        flat = (picks + np.arange(rows)[:, None] * n_images).ravel()
        counts = np.bincount(flat, minlength=rows * n_images)
        yield counts.reshape(rows, n_images).astype(np.float64)


def resampled(
    estimators: Mapping[str, Estimator], n_images: int, how: Resampling
) -> dict[str, Floats]:
    """Values ``[resamples]`` of each metric over the same draws."""
    parts: dict[str, list[Floats]] = {name: [] for name in estimators}
    for weights in weight_chunks(n_images, how):
        for name, estimate in estimators.items():
            parts[name].append(estimate(weights))
    return {name: np.concatenate(values) for name, values in parts.items()}


def tail_of(n_images: int, level: float = 0.95) -> float:
    """Share of resamples beyond each end of an interval over so many images.

    Less than ``(1 - level) / 2``: few images drawn again vary by ``sqrt((n - 1) / n)`` too little,
    and have Student's t, not a normal (Hesterberg 2015's expanded percentile interval). What it
    is worth: docs/reference/intervals.md.

    >>> [round(tail_of(n), 4) for n in (28, 60, 1000)]
    [0.0183, 0.0218, 0.0248]
    """
    from scipy.special import ndtr, stdtrit

    if n_images < 2:
        return 0.0
    t = stdtrit(n_images - 1, (1 + level) / 2)
    return float(ndtr(-t * np.sqrt(n_images / (n_images - 1))))


def interval(values: Floats, tail: float = 0.025) -> tuple[float, float] | None:
    """Percentile interval of resampled values, None when the metric is not available.

    Rounded to 1e-9, so that thread counts (summation order) cannot change a score file.

    Args:
        values: Of a metric, one a resample.
        tail: Share of them beyond each end.

    >>> interval(np.arange(101.0) / 100, tail=0.05)
    (0.05, 0.95)
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return None
    low, high = np.quantile(finite, [tail, 1 - tail])
    return round(float(low), 9), round(float(high), 9)


def intervals(
    estimators: Mapping[str, Estimator], n_images: int, how: Resampling
) -> dict[str, tuple[float, float] | None]:
    """Expanded percentile intervals of metrics; None for each where there is no image."""
    if n_images == 0:
        return dict.fromkeys(estimators)
    draws = resampled(estimators, n_images, how)
    tail = tail_of(n_images, how.level)
    return {name: interval(values, tail) for name, values in draws.items()}
