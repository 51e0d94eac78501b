"""How often a 95 % interval over few images holds the truth: docs/reference/intervals.md.

``python -m tests.interval_coverage [TRIALS]`` prints the page's table: the plain percentile
interval, ours, and two that are known to cover better still where samples are small.
"""

import sys
from collections.abc import Callable, Iterator

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.stats import binom, norm

from geomag.metrics.bootstrap import Resampling, end_interval, interval, tail_of, weight_chunks

Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], tuple[Values, Values]]
"""Numerators and denominators of n images; the score is the ratio of their sums."""


def _ious(rng: np.random.Generator, n: int) -> Values:
    return np.where(rng.random(n) < 0.25, 0.0, rng.beta(8, 2, n))  # one target in four is missed


def _answers(rng: np.random.Generator, n: int) -> tuple[Values, Values]:
    return rng.binomial(10, rng.beta(6, 3, n)).astype(float), np.full(n, 10.0)


def _precision(rng: np.random.Generator, n: int) -> tuple[Values, Values]:
    return (rng.random(n) < 0.8).astype(float), np.ones(n)


def _overall(rng: np.random.Generator, n: int) -> tuple[Values, Values]:
    area = rng.lognormal(5, 1, n)
    return area * _ious(rng, n), area


SCORES: dict[str, tuple[Draw, float]] = {
    "answers right, ten an image": (_answers, 2 / 3),
    "mean IoU": (lambda rng, n: (_ious(rng, n), np.ones(n)), 0.6),
    "precision at 0.5": (_precision, 0.8),
    "overall IoU": (_overall, 0.6),
    "CIDEr-like, skewed": (lambda rng, n: (rng.gamma(1.5, 1.0, n), np.ones(n)), 1.5),
}
"""Scores by name: how images are drawn, and the true value."""


def resamples(
    draw: Draw, n: int, trials: int, n_resamples: int = 1000
) -> Iterator[tuple[Values, Values, Values, Values]]:
    """Numerators, denominators, weights ``[R, n]`` and resampled scores of each trial."""
    rng = np.random.default_rng(n)
    for trial in range(trials):
        above, below = draw(rng, n)
        (weights,) = weight_chunks(n, Resampling(n_resamples, seed=trial))
        yield above, below, weights, weights @ above / (weights @ below)


def coverage(draw: Draw, truth: float, n: int, trials: int) -> float:
    """Share of trials whose interval, as score files have it, holds the truth."""
    held = 0
    for *_, values in resamples(draw, n, trials):
        low, high = interval(values, tail_of(n)) or (np.nan, np.nan)
        held += low <= truth <= high
    return held / trials


def corrected(above: Values, below: Values, values: Values) -> tuple[float, float]:
    """BCa: percentiles moved by bias and acceleration."""
    estimate = above.sum() / below.sum()
    share = ((values < estimate).mean() + (values <= estimate).mean()) / 2
    bias = norm.ppf(np.clip(share, 1e-4, 1 - 1e-4))
    without = (above.sum() - above) / (below.sum() - below)
    gaps = without.mean() - without
    spread = (gaps**2).sum()
    bend = (gaps**3).sum() / (6 * spread**1.5) if spread else 0.0
    z = bias + norm.ppf([0.025, 0.975])
    low, high = np.quantile(values, norm.cdf(bias + z / (1 - bend * z)))
    return float(low), float(high)


def studentised(
    above: Values, below: Values, weights: Values, values: Values
) -> tuple[float, float]:
    """Each resample in units of its own linearised standard error."""
    estimate = above.sum() / below.sum()
    error = np.sqrt(((above - estimate * below) ** 2).sum()) / below.sum()
    squares = weights @ above**2 - 2 * values * (weights @ (above * below))
    errors = np.sqrt(np.maximum(squares + values**2 * (weights @ below**2), 0)) / (weights @ below)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = (values - estimate) / errors
    scaled = scaled[np.isfinite(scaled)]
    high, low = np.quantile(scaled, [0.025, 0.975]) if scaled.size else (0.0, 0.0)
    return float(estimate - low * error), float(estimate - high * error)


def coverage_of_rate(n: int, truths: Values) -> tuple[Values, Values]:
    """How often intervals of a rate hold it, without and with those at the ends.

    Nothing is drawn but the resamples: each possible number of right answers counts as often as it
    occurs.

    Args:
        n: Images, one answer each.
        truths: True rates.
    """
    right = np.arange(n + 1)
    tally = [np.arange(n) < k for k in right]
    (weights,) = weight_chunks(n, Resampling(1000))
    plain = np.array([interval(weights @ ones / n, tail_of(n)) for ones in tally])
    ours = plain.copy()
    ours[0], ours[n] = end_interval(0.0, n), end_interval(1.0, n)
    shares = binom.pmf(right, n, truths[:, None])
    return tuple(
        (shares * ((p[:, 0] <= truths[:, None]) & (truths[:, None] <= p[:, 1]))).sum(1)
        for p in (plain, ours)
    )


def rates() -> None:
    """Print the table of rates near 1, in percent."""
    truths = np.array([0.5, 0.8, 0.9, 0.95, 0.98, 0.99])
    typer.echo(f"{'images':<8}{'ends':<14}" + "".join(f"{truth:>7}" for truth in truths))
    for n in (5, 10, 20, 28, 60, 150):
        for name, row in zip(("percentile", "exact"), coverage_of_rate(n, truths), strict=True):
            typer.echo(f"{n:<8}{name:<14}" + "".join(f"{100 * share:>7.1f}" for share in row))


def main(trials: int) -> None:
    """Print the tables, in percent."""
    typer.echo(
        f"{'score':<28}{'images':>7}{'percentile':>12}{'ours':>10}{'BCa':>7}{'studentised':>13}"
    )
    for name, (draw, truth) in SCORES.items():
        for n in (28, 40, 60, 150):
            held = np.zeros(4)
            for above, below, weights, values in resamples(draw, n, trials):
                found = [
                    interval(values) or (np.nan, np.nan),
                    interval(values, tail_of(n)) or (np.nan, np.nan),
                    corrected(above, below, values),
                    studentised(above, below, weights, values),
                ]
                held += [low <= truth <= high for low, high in found]
            a, b, c, d = 100 * held / trials
            typer.echo(f"{name:<28}{n:>7}{a:>12.1f}{b:>10.1f}{c:>7.1f}{d:>13.1f}")


if __name__ == "__main__":
    rates()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
