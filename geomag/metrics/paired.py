"""Is one set of predictions better than another? Paired bootstrap over the same images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from geomag.metrics.bootstrap import Resampling, interval, resampled
from geomag.metrics.tally import Estimator


@dataclass(frozen=True, slots=True)
class Difference:
    """First minus second, over the same images."""

    value: float
    low: float
    high: float
    p_value: float
    """Two-sided: twice the share of resamples on the other side of 0, at least 2 / (R + 1)."""
    p_t: float
    """Two-sided, of the difference over its bootstrap standard error by Student's t: it has no
    floor where many tests are corrected for, and allows for few images."""
    detectable: float
    """Smallest true difference that this test would find 8 times in 10 (power 0.8 at 5 %)."""


def differences(
    first: Mapping[str, Estimator],
    second: Mapping[str, Estimator],
    n_images: int,
    resampling: Resampling,
) -> dict[str, Difference]:
    """Compare the metrics that both have, resample by resample.

    Both estimators must weigh the same images in the same order. Of fewer than two images nothing
    can be said: no metric is compared.
    """
    shared = [name for name in first if name in second]
    if n_images < 2 or not shared:
        return {}
    once = np.ones((1, n_images))
    a = resampled({name: first[name] for name in shared}, n_images, resampling)
    b = resampled({name: second[name] for name in shared}, n_images, resampling)
    found = {}
    for name in shared:
        value = float((first[name](once) - second[name](once))[0])
        gaps = a[name] - b[name]
        gaps = gaps[np.isfinite(gaps)]
        pair = interval(gaps, (1 - resampling.level) / 2)  # as the p-value: shares of resamples
        if pair is None or not np.isfinite(value):
            continue
        other = min(int((gaps <= 0).sum()), int((gaps >= 0).sum()))
        p_value = min(1.0, 2 * (other + 1) / (gaps.size + 1))
        # 1.96 + 0.84 standard errors: the normal approximation of power 0.8 at 5 %
        spread = float(gaps.std())
        p_t = student_p(value, spread, n_images)
        found[name] = Difference(value, *pair, p_value, p_t, 2.8 * spread)
    return found


def student_p(value: float, spread: float, n_images: int) -> float:
    """Two-sided p-value of a difference by Student's t.

    Args:
        value: The difference.
        spread: Its bootstrap standard deviation; ``sqrt(n / (n - 1))`` of it is the error.
        n_images: At least 2.

    >>> round(student_p(2.262 * (10 / 9) ** 0.5, 1.0, 10), 4)
    0.05
    """
    from scipy.special import stdtr

    if spread == 0:  # every image agrees: as rare among equals as n coins that all fall alike
        return 1.0 if value == 0 else 2.0 ** (1 - n_images)
    error = spread * np.sqrt(n_images / (n_images - 1))
    return float(2 * stdtr(n_images - 1, -abs(value) / error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values of a family of tests, in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(np.asarray(p_values))
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = round(worst, 12)
    return adjusted
