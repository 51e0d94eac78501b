"""Intervals: reproducible, clustered by image, and honest in an A/A simulation."""

import numpy as np
import pytest
import scipy.stats

from geomag.metrics import bootstrap
from geomag.metrics.bootstrap import (
    Resampling,
    interval,
    intervals,
    resampled,
    tail_of,
    weight_chunks,
)
from geomag.metrics.paired import differences
from geomag.metrics.tally import Tally, mean_of, share
from tests.interval_coverage import SCORES, coverage


def questions(per_image, accuracy_of_image):
    images, right = [], []
    for i, accuracy in enumerate(accuracy_of_image):
        images += [f"{i:04d}"] * per_image
        right += [float(k < round(accuracy * per_image)) for k in range(per_image)]
    return Tally.of(images, {"n": np.ones(len(right)), "right": right})


def test_weights_are_counts_of_a_full_draw():
    weights = np.concatenate(list(weight_chunks(7, Resampling(50, seed=1))))
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()
    again = np.concatenate(list(weight_chunks(7, Resampling(50, seed=1))))
    assert np.array_equal(weights, again)


def test_chunks_cover_all_resamples(monkeypatch):
    monkeypatch.setattr(bootstrap, "CHUNK_VALUES", 30)
    assert sum(len(w) for w in weight_chunks(7, Resampling(50))) == 50


def test_resamples_equal_a_loop_over_drawn_images():
    tally = questions(3, [0.0, 1 / 3, 1.0, 2 / 3])
    resampling = Resampling(20, seed=4)
    fast = resampled({"a": tally.estimator(share("right"))}, 4, resampling)["a"]
    slow = []
    for row in np.concatenate(list(weight_chunks(4, resampling))):
        drawn = np.repeat(np.arange(4), row.astype(int))
        slow.append(tally.sums[drawn, 1].sum() / tally.sums[drawn, 0].sum())
    assert fast == pytest.approx(np.array(slow), abs=1e-12)


def test_questions_of_one_image_are_drawn_together():
    tally = questions(100, [0.0, 1.0] * 10)
    low, high = intervals({"a": tally.estimator(share("right"))}, 20, Resampling())["a"]
    binomial = 1.96 * np.sqrt(0.25 / 2000)
    assert (high - low) / 2 > 5 * binomial


def test_an_unavailable_metric_has_no_interval():
    tally = Tally.of(["a"], {"n": [0.0], "right": [0.0]})
    assert intervals({"a": tally.estimator(share("right"))}, 1, Resampling(10)) == {"a": None}
    assert intervals({"a": tally.estimator(share("right"))}, 0, Resampling(10)) == {"a": None}


def test_one_image_has_no_interval_and_is_not_compared():
    estimators = {"a": questions(10, [0.7]).estimator(share("right"))}
    assert intervals(estimators, 1, Resampling(10)) == {"a": None}
    assert differences(estimators, estimators, 1, Resampling(10)) == {}


@pytest.mark.parametrize(
    ("right", "expected"),
    [  # 0.025 ** (1 / 12) by hand; of 12 images 4 have no question, so that 8 count
        ([1.0] * 12, (0.735352, 1.0)),
        ([0.0] * 12, (0.0, 0.264648)),
        ([1.0] * 8 + [None] * 4, (0.630584, 1.0)),
        ([0.5] * 12, None),
    ],
)
def test_images_that_are_all_alike_have_an_interval_at_an_end_only(right, expected):
    columns = {"n": [r is not None for r in right], "right": [r or 0 for r in right]}
    names = [f"{i:03d}" for i in range(len(right))]
    estimators = {"a": Tally.of(names, columns).estimator(share("right"))}
    found = intervals(estimators, len(right), Resampling())["a"]
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-6))
    assert intervals(estimators, len(right), Resampling(), unbounded=["a"]) == {"a": None}


def test_interval_of_a_known_sample():
    assert interval(np.arange(1001.0)) == (25.0, 975.0)
    assert interval(np.arange(1001.0), 0.02) == (20.0, 980.0)


def test_few_images_have_further_ends_and_many_have_not():
    # by hand: t(27) = 2.0518 at 97.5 %, x sqrt(28 / 27) = 2.0895, normal share beyond 0.01833
    assert tail_of(28) == pytest.approx(0.01833, abs=1e-5)
    assert tail_of(100_000) == pytest.approx(0.025, abs=1e-5)
    assert (tail_of(1), tail_of(2)) == (0.0, pytest.approx(0.0, abs=1e-9))


def test_mean_of_is_nan_when_a_part_is():
    tally = Tally.of(["a"], {"n": [1.0], "right": [1.0], "m": [0.0]})
    assert np.isnan(tally.value(mean_of(share("right"), share("right", "m"))))


def test_the_interval_is_scipys_percentile_interval_of_a_higher_level():
    values = np.random.default_rng(2).gamma(2.0, size=80)
    names = [f"{i:03d}" for i in range(80)]
    tally = Tally.of(names, {"n": np.ones(80), "x": values})
    ours = intervals({"a": tally.estimator(share("x"))}, 80, Resampling(20_000))["a"]
    theirs = scipy.stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=20_000,
        method="percentile",
        confidence_level=1 - 2 * tail_of(80),
        rng=np.random.default_rng(9),
    ).confidence_interval
    assert ours == pytest.approx(tuple(theirs), abs=0.01)  # draws differ: 0.01 is 2 % of its width


@pytest.mark.integration
def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(3)
    covered, null_covered = 0, 0
    for trial in range(500):
        accuracies = np.repeat(rng.beta(6, 3, size=150), 10)
        images = list(np.repeat([f"{i:03d}" for i in range(150)], 10))
        both = []
        for _ in range(2):  # A and A again: one accuracy a picture, two draws of the answers
            right = (rng.random(1500) < accuracies).astype(float)
            tally = Tally.of(images, {"n": np.ones(1500), "right": right})
            both.append({"a": tally.estimator(share("right"))})
        resampling = Resampling(400, seed=trial)
        low, high = intervals(both[0], 150, resampling)["a"]
        covered += low <= 6 / 9 <= high
        gap = differences(*both, 150, resampling)["a"]
        null_covered += gap.low <= 0 <= gap.high
    # 95 % nominal; 500 draws have a spread of 1 point
    assert 0.93 <= covered / 500 <= 0.97
    assert 0.93 <= null_covered / 500 <= 0.97


@pytest.mark.integration
@pytest.mark.parametrize(
    "name", ["answers right, ten an image", "mean IoU", "precision at 0.5", "CIDEr-like, skewed"]
)
@pytest.mark.parametrize("n_images", [40, 60])
def test_intervals_of_few_images_cover_too(name, n_images):
    draw, truth = SCORES[name]
    # 95 % nominal; 500 draws have a spread of 1 point
    assert 0.93 <= coverage(draw, truth, n_images, trials=500) <= 0.97
