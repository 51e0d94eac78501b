"""Percentile bootstrap over images: records of one image are drawn together.

About 100 questions of RSVQA share an image, so intervals over questions would be too narrow
(protocols/rsvqa#intervals). Draws come from a generator of their own, so the same images give the
same weights: two models on one test set are compared resample by resample.
"""

from collections.abc import Collection, Iterator, Mapping
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


def weight_chunks(n_images: int, resampling: Resampling) -> Iterator[Floats]:
    """Yield weights ``[r, n_images]``: how often each image is in each resample."""
    draw = generator("bootstrap", resampling.seed, n_images)
    per_chunk = max(1, CHUNK_VALUES // max(1, n_images))
    for start in range(0, resampling.resamples, per_chunk):
        rows = min(per_chunk, resampling.resamples - start)
        picks = draw.integers(0, n_images, size=(rows, n_images))
        flat = (picks + np.arange(rows)[:, None] * n_images).ravel()
        counts = np.bincount(flat, minlength=rows * n_images)
        yield counts.reshape(rows, n_images).astype(np.float64)


def resampled(
    estimators: Mapping[str, Estimator], n_images: int, resampling: Resampling
) -> dict[str, Floats]:
    """Values ``[resamples]`` of each metric over the same draws."""
    parts: dict[str, list[Floats]] = {name: [] for name in estimators}
    for weights in weight_chunks(n_images, resampling):
        for name, estimate in estimators.items():
            parts[name].append(estimate(weights))
    return {name: np.concatenate(values) for name, values in parts.items()}


def tail_of(n_images: int, level: float = 0.95) -> float:
    """Share of resamples beyond each end of an interval over so many images.

    Less than ``(1 - level) / 2``: few images drawn again vary by ``sqrt((n - 1) / n)`` too little,
    and have Student's t, not a normal (Hesterberg 2015's expanded percentile interval). What it
    is worth: docs/reference/intervals.md.

    >>> tuple(round(tail_of(n), 4) for n in (28, 60, 1000))
    (0.0183, 0.0218, 0.0248)
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
    estimators: Mapping[str, Estimator],
    n_images: int,
    resampling: Resampling,
    *,
    unbounded: Collection[str] = (),
) -> dict[str, tuple[float, float] | None]:
    """Expanded percentile intervals of metrics.

    One image says nothing of others: no interval. Nor do images that are all alike, unless all are
    at an end of the metric's range: then `end_interval` says how far from it the truth may be.

    Args:
        estimators: Metrics by name.
        n_images: Images that they weigh.
        resampling: Resampling.
        unbounded: Metrics that do not run from 0 to 1.
    """
    if n_images < 2:
        return dict.fromkeys(estimators)
    tail = tail_of(n_images, resampling.level)
    found = {}
    for name, values in resampled(estimators, n_images, resampling).items():
        pair = interval(values, tail)
        if pair and pair[0] == pair[1]:
            known = 0 if name in unbounded else _images_of(estimators[name], n_images)
            pair = end_interval(pair[0], known, resampling.level)
        found[name] = pair
    return found


def end_interval(value: float, n_images: int, level: float = 0.95) -> tuple[float, float] | None:
    """Interval of a mean of values in [0, 1] that are all 0, or all 1, over so many images.

    The rule of three in its exact, two-sided form (Clopper and Pearson 1934 at 0 and n): were more
    than ``1 - ((1 - level) / 2) ** (1 / n)`` of all images different, n alike would be too rare.
    None for another value, and for one image.

    >>> end_interval(1.0, 28), end_interval(0.0, 28)
    ((0.876563881, 1.0), (0.0, 0.123436119))
    """
    if n_images < 2 or value not in (0.0, 1.0):
        return None
    reach = round(((1 - level) / 2) ** (1 / n_images), 9)
    return (reach, 1.0) if value else (0.0, round(1 - reach, 9))


def _images_of(estimate: Estimator, n_images: int) -> int:
    """How many images have the metric by themselves; all, where none has (a mean over classes)."""
    per_chunk = max(1, CHUNK_VALUES // n_images)
    count = 0
    for start in range(0, n_images, per_chunk):
        rows = np.arange(start, min(start + per_chunk, n_images))
        alone = np.zeros((len(rows), n_images))
        alone[np.arange(len(rows)), rows] = 1
        count += int(np.isfinite(estimate(alone)).sum())
    return count or n_images
