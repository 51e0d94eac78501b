"""Additive statistics per image: a metric is a formula on their sums, for one set or a thousand.

The same formula gives the score (all weights 1), the score of merged shards and, with the
weights of `geomag.metrics.bootstrap`, its interval, so there is one definition of each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Totals = Mapping[str, Floats]
"""Sums by column name, each of shape ``[...]`` (``[R]`` for R weightings)."""
Formula = Callable[[Totals], Floats]
"""Function from totals to metric values of the same shape; NaN where the metric is not
available."""
Estimator = Callable[[Floats], Floats]
"""Function from weights ``[R, G]`` of G images to R metric values."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums per image of named statistics.

    >>> t = Tally.of(["a", "b", "a"], {"n": [1, 1, 1], "right": [1, 0, 1]})
    >>> t.groups, t.total("right")
    (('a', 'b'), 2.0)
    """

    groups: tuple[str, ...]
    """Image names, sorted: the units that are drawn together."""
    columns: tuple[str, ...]
    sums: Floats
    """``[G, K]``: one row per image, one column per statistic."""
    why_whole: str = ""
    """Why shards of it must not be merged; "" when they may."""

    @classmethod
    def of(cls, images: Sequence[str], columns: Mapping[str, ArrayLike]) -> "Tally":
        """Sum columns of one value per record over the records of each image."""
        groups = sorted(set(images))
        row_of = {group: row for row, group in enumerate(groups)}
        index = np.array([row_of[image] for image in images], dtype=np.intp)
        sums = np.zeros((len(groups), len(columns)))
        for k, values in enumerate(columns.values()):
            sums[:, k] = np.bincount(
                index, weights=np.asarray(values, dtype=np.float64), minlength=len(groups)
            )
        return cls(tuple(groups), tuple(columns), sums)

    def merge(self, other: "Tally") -> "Tally":
        """The tally of both sets of records; a column that one lacks counts 0 there.

        Raises:
            ValueError: If the statistics depend on all records at once.
        """
        if why := self.why_whole or other.why_whole:
            raise ValueError(f"these statistics cannot be merged: {why}")
        groups = tuple(sorted({*self.groups, *other.groups}))
        columns = tuple(dict.fromkeys((*self.columns, *other.columns)))
        sums = np.zeros((len(groups), len(columns)))
        row_of = {group: row for row, group in enumerate(groups)}
        for part in (self, other):
            rows = [row_of[g] for g in part.groups]
            sums[np.ix_(rows, [columns.index(c) for c in part.columns])] += part.sums
        return Tally(groups, columns, sums)

    def totals(self, weights: Floats | None = None) -> Totals:
        """Sums over images, once (``weights`` None) or for each row of ``[R, G]`` weights."""
        summed = self.sums.sum(axis=0) if weights is None else weights @ self.sums
        return {name: summed[..., k] for k, name in enumerate(self.columns)}

    def total(self, column: str) -> float:
        """One sum over all images."""
        return float(self.sums[:, self.columns.index(column)].sum())

    def value(self, formula: Formula) -> float:
        """A metric of all records; NaN when it is not available."""
        return float(formula(self.totals()))

    def estimator(self, formula: Formula) -> Estimator:
        """The metric as a function of image weights, for the bootstrap."""
        return lambda weights: formula(self.totals(weights))


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """``numerator / denominator``, NaN where nothing was counted.

    >>> divide(np.array([1.0, 1.0]), np.array([2.0, 0.0]))
    array([0.5, nan])
    """
    safe = np.where(denominator == 0, np.nan, denominator)
    return np.asarray(numerator / safe, dtype=np.float64)


def share(numerator: str, denominator: str = "n") -> Formula:
    """The formula ``sum of one column / sum of another``."""
    return lambda totals: divide(totals[numerator], totals[denominator])


def mean_of(*formulas: Formula) -> Formula:
    """The plain mean of several metrics; NaN if one of them is not available."""
    return lambda totals: np.mean([formula(totals) for formula in formulas], axis=0)
