"""Paired comparison: a hand case, Holm's procedure, and its error rate when nothing differs."""

import numpy as np
import pytest

from geomag.metrics.bootstrap import Resampling
from geomag.metrics.paired import differences, holm
from geomag.metrics.tally import Tally, share


def tally_of(right, images):
    columns = {"n": np.ones(len(right)), "right": np.asarray(right, dtype=float)}
    return Tally.of(images, columns)


def compare(a, b, images, resampling):
    first, second = tally_of(a, images), tally_of(b, images)
    estimators = [{"acc": t.estimator(share("right"))} for t in (first, second)]
    return differences(*estimators, len(first.groups), resampling)["acc"]


def test_the_same_answers_differ_by_nothing():
    images = [f"{i}" for i in range(30)]
    right = [i % 3 > 0 for i in range(30)]
    gap = compare(right, right, images, Resampling(100))
    assert (gap.value, gap.low, gap.high, gap.p_value, gap.detectable) == (0, 0, 0, 1, 0)


def test_pairing_sees_what_two_intervals_cannot():
    rng = np.random.default_rng(0)
    images = [f"{i:03d}" for i in range(200)]
    worse = rng.random(200) < 0.5
    better = worse | (rng.random(200) < 0.1)
    gap = compare(better, worse, images, Resampling(1000))
    assert gap.low > 0
    assert gap.p_value < 0.01
    assert gap.value == pytest.approx(better.mean() - worse.mean())
    assert gap.detectable < 0.06  # unpaired, half a set of 200 could not tell 0.14 apart


def test_holm_on_its_textbook_case():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.integration
def test_two_equal_models_are_told_apart_about_one_time_in_twenty():
    rng = np.random.default_rng(7)
    images = list(np.repeat([f"{i:03d}" for i in range(50)], 4))
    alarms = 0
    for trial in range(500):
        ease = np.repeat(rng.beta(4, 2, size=50), 4)
        a, b = rng.random(200) < ease, rng.random(200) < ease
        alarms += compare(a, b, images, Resampling(300, seed=trial)).p_value < 0.05
    # 5 % nominal, spread 1 point over 500 trials, percentile bias about one
    assert 0.02 <= alarms / 500 <= 0.09
