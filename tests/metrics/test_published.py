"""Published percentages rebuilt from whole numbers, and what they imply.

A printed percentage of n questions must be some k/n, rounded or cut to two decimals. Where it is
not, the row was measured on something else: these are the checks behind the report's errata.
"""

import math

import numpy as np
import pytest

from geomag.data.benchmarks.aid.spec import AID_COUNTS
from geomag.evaluate.score.scenes import last_fifth, seeded_share
from geomag.metrics.bootstrap import Resampling, intervals
from geomag.metrics.tally import Tally, share


def fits(percent, n):
    """Each k for which k of n prints as ``percent``, rounded or truncated."""
    near = range(
        max(0, math.floor(percent * n / 100) - 1), min(n, math.ceil(percent * n / 100)) + 2
    )
    hundredths = round(100 * percent)
    return [k for k in near if hundredths in (10_000 * k // n, (20_000 * k // n + 1) // 2)]


@pytest.mark.parametrize(
    ("percent", "n", "right"),
    [
        # scene sets: RemoteCLIP on 2,000 and 6,300, GeoChat on 3,000, GeoMag undecided
        (87.90, 2000, 1758),
        (79.84, 6300, 5030),
        (72.03, 3000, 2161),
        (83.03, 3000, 2491),
        (83.03, 10_000, 8303),
        (77.62, 6300, 4890),
        # RSVQA-LR test: GeoChat by type, cut and not rounded where the two differ
        (91.09, 2955, 2692),
        (90.33, 4002, 3615),
        (94.00, 100, 94),
    ],
)
def test_a_published_percentage_is_this_whole_number(percent, n, right):
    assert right in fits(percent, n)


@pytest.mark.parametrize(
    ("percent", "n"),
    [
        (73.72, 2000),  # GeoRSCLIP on AID: neither RemoteCLIP's list
        (73.72, 3000),  # nor GeoChat's
        (72.03, 2000),
        (83.03, 2000),
        (91.38, 2955),  # GeoMag on RSVQA-LR: not the plain test set
        (91.81, 4002),
        (89.07, 100),  # LHRS-Bot's rural/urban
    ],
)
def test_a_published_percentage_is_no_whole_number_of_these(percent, n):
    assert fits(percent, n) == []


def test_geochats_presence_is_cut_not_rounded():
    assert (10_000 * 2692 // 2955, round(10_000 * 2692 / 2955)) == (9109, 9110)


@pytest.mark.parametrize(
    ("presence", "comparison", "average", "share_of_presence"),
    [(58.45, 83.19, 72.30, 0.440), (62.77, 79.53, 72.06, 0.446), (40.79, 50.91, 46.46, 0.440)],
)
def test_question_weighted_averages_tell_the_share_of_presence_questions(
    presence, comparison, average, share_of_presence
):
    found = (comparison - average) / (comparison - presence)
    assert found == pytest.approx(share_of_presence, abs=5e-4)


@pytest.mark.parametrize(
    ("similarity", "word_iou", "accuracy", "wrong_similarity"),
    [
        (97.84, 96.47, 0.964, 0.39),  # GeoMag
        (75.04, 64.29, 0.640, 0.31),  # without MagCrop
        (79.59, 68.80, 0.685, 0.35),  # GeoChat
        (93.72, 89.37, 0.893, 0.41),  # Sphinx
        (94.64, 90.16, 0.901, 0.46),  # EarthGPT
    ],
)
def test_what_a_pair_of_ss_and_siou_says_of_accuracy(
    similarity, word_iou, accuracy, wrong_similarity
):
    # a wrong class still shares 0.0085 of its words; SS = a + (1 - a) w
    a = (word_iou / 100 - 0.0085) / (1 - 0.0085)
    assert a == pytest.approx(accuracy, abs=6e-4)
    assert (similarity / 100 - a) / (1 - a) == pytest.approx(wrong_similarity, abs=0.006)


def test_the_lists_that_peers_take_of_the_scene_sets_have_their_sizes():
    aid = [f"{c}/{c.lower()}_{i}.jpg" for c, n in AID_COUNTS.items() for i in range(1, n + 1)]
    thirty = seeded_share(aid)
    assert [sum(name.startswith(f"{c}/") for name in thirty) for c in AID_COUNTS] == [
        *(108, 93, 66, 120, 108, 78, 72, 105, 123, 90, 111, 75, 117, 84, 87),
        *(102, 105, 117, 111, 126, 114, 78, 87, 123, 90, 90, 99, 87, 108, 126),
    ]
    assert (len(aid), len(thirty), len(last_fifth(aid))) == (10_000, 3000, 2000)
    resisc = [f"{c}/{c}_{i:03d}.jpg" for c in range(45) for i in range(1, 701)]
    assert len(last_fifth(resisc)) == 6300
    by_number = [f"a/airport_{i:02d}.jpg" for i in range(1, 11)]
    assert last_fifth(by_number) == {"a/airport_09.jpg", "a/airport_10.jpg"}


@pytest.mark.parametrize(
    ("rate", "n", "half_width"),
    [(0.83, 10_000, 0.74), (0.83, 3000, 1.34), (0.83, 2000, 1.65), (0.78, 6300, 1.02)],
)
def test_intervals_of_scene_accuracy_are_as_wide_as_the_binomials(rate, n, half_width):
    right = (np.arange(n) < round(rate * n)).astype(float)
    tally = Tally.of([f"{i:05d}" for i in range(n)], {"n": np.ones(n), "right": right})
    low, high = intervals({"a": tally.estimator(share("right"))}, n, Resampling(1000))["a"]
    assert 50 * (high - low) == pytest.approx(half_width, rel=0.07)  # 1,000 draws: a spread of 3 %
    assert 196 * math.sqrt(rate * (1 - rate) / n) == pytest.approx(half_width, abs=0.006)
