"""Referring metrics against hand counts, Pillow, and a literal LAVT loop."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geomag.geometry import encode_mask
from geomag.metrics.masks import iou_matrix, nearest_indices, resized
from geomag.metrics.segmentation import (
    LAVT,
    LISA,
    STRICT,
    THRESHOLDS,
    IouRule,
    Overlap,
    mean_iou,
    overall_iou,
    overlap,
    overlap_at,
    overlap_tally,
    precision_at,
    scores,
)
from geomag.rle import read_rle, rle_runs

CASES = Path(__file__).parents[1] / "cases"

# protocols/referring#worked-example: A, B, C (empty prediction), D, E (both empty)
FIVE = [Overlap(12, 20), Overlap(45, 50), Overlap(0, 4), Overlap(4, 8), Overlap(0, 0)]


def rectangle(h, w, rows, cols):
    mask = np.zeros((h, w), dtype=bool)
    mask[rows[0] : rows[1], cols[0] : cols[1]] = True
    return mask


def random_masks(n, h=40, w=30, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.random((h, w)) < rng.choice([0.0, 0.02, 0.3, 0.9]) for _ in range(n)]


def lavt_loop(predictions, truths):
    """test.py of LAVT, line by line: a running list, cumulated sums, counts per threshold."""
    cum_i, cum_u, total = 0, 0, 0
    seg_correct = np.zeros(len(THRESHOLDS), dtype=np.int32)
    mean = []
    for output, target in zip(predictions, truths, strict=True):
        intersection = np.sum(np.logical_and(output, target))
        union = np.sum(np.logical_or(output, target))
        this_iou = 0.0 if union == 0 else intersection * 1.0 / union
        mean.append(this_iou)
        cum_i += intersection
        cum_u += union
        for k, threshold in enumerate(THRESHOLDS):
            seg_correct[k] += this_iou >= threshold
        total += 1
    return np.mean(mean), cum_i * 1.0 / cum_u, seg_correct / total


def test_worked_example_of_five_samples():
    found = scores(FIVE)
    assert found["mean_iou"] == pytest.approx(0.40, abs=1e-12)
    assert found["overall_iou"] == pytest.approx(61 / 82, abs=1e-12)
    assert [found[f"precision_at_{t}"] for t in THRESHOLDS] == [0.6, 0.4, 0.2, 0.2, 0.2]


def test_strict_comparison_loses_the_exact_halves():
    found = scores(FIVE, STRICT)
    assert [found[f"precision_at_{t}"] for t in THRESHOLDS] == [0.4, 0.2, 0.2, 0.2, 0.0]


def test_f25_both_empty_is_a_switch():
    found = scores(FIVE, IouRule(both_empty=1.0))
    assert found["mean_iou"] == pytest.approx(0.60, abs=1e-12)
    assert found["overall_iou"] == pytest.approx(61 / 82, abs=1e-12)


def test_mean_is_over_samples_not_batches():
    per_batch = (mean_iou(FIVE[:2]) + mean_iou(FIVE[2:])) / 2
    assert per_batch == pytest.approx(0.458333, abs=1e-6)
    assert mean_iou(FIVE) == pytest.approx(0.40)


def test_lisa_adds_its_epsilon_and_counts_empty_pairs_as_found():
    half = scores([Overlap(4, 8)], LISA)
    assert half["mean_iou"] == pytest.approx(4 / 8.00001, abs=1e-12)
    assert half["precision_at_0.5"] == 0.0
    assert scores([Overlap(0, 0)], LISA)["mean_iou"] == 1.0


@pytest.mark.parametrize("tenths", range(5, 10))
def test_an_exact_tenth_reaches_its_threshold_in_float64(tenths):
    assert precision_at(tenths / 10, [Overlap(tenths * 7, 70)]) == 1.0
    assert precision_at(tenths / 10, [Overlap(tenths * 7 - 1, 70)]) == 0.0


def test_float32_would_lose_an_exact_nine_tenths():
    ious = np.array([12, 45, 4], np.float32) / np.array([20, 50, 8], np.float32)
    wanted = np.array([0.6, 0.9, 0.5])
    assert (ious.astype(np.float64) >= wanted).tolist() == [True, False, True]
    assert precision_at(0.9, FIVE) == 0.2  # ours keeps it: 10 I >= 9 U


def test_sums_of_a_whole_test_set_pass_32_bits():
    overlaps = [Overlap(1024 * 1024 - 1, 1024 * 1024)] * 3481
    assert 3481 * 1024 * 1024 > 2**31
    assert overall_iou(overlaps) == (1024 * 1024 - 1) / (1024 * 1024)


def test_sample_a_and_d_drawn_as_masks():
    truth = encode_mask(rectangle(10, 10, (0, 4), (0, 4)))
    answer = encode_mask(rectangle(10, 10, (0, 4), (1, 5)))
    assert overlap(answer, truth) == Overlap(12, 20)
    inner = encode_mask(rectangle(10, 10, (0, 2), (0, 2)))
    assert overlap(encode_mask(rectangle(10, 10, (0, 2), (0, 4))), inner) == Overlap(4, 8)
    assert overlap(None, inner) == Overlap(0, 4)


@pytest.mark.parametrize(("start", "small"), [(100, Overlap(25, 47)), (101, Overlap(36, 36))])
def test_480_moves_a_small_object_by_tens_of_points(start, small):
    truth = encode_mask(rectangle(800, 800, (start, start + 10), (start, start + 10)))
    shifted = (start + 1, start + 11)
    answer = encode_mask(rectangle(800, 800, shifted, shifted))
    assert overlap(answer, truth) == Overlap(81, 119)
    assert overlap_at(answer, truth) == small
    assert overlap_at(None, truth).intersection == 0


@pytest.mark.parametrize("size", [(800, 800), (512, 512), (813, 800), (333, 479), (37, 501)])
def test_resized_masks_equal_pillows(size):
    mask = np.random.default_rng(size[0]).random(size) < 0.4
    pillow = Image.fromarray(mask).resize((480, 480), Image.Resampling.NEAREST)
    assert np.array_equal(resized(encode_mask(mask), 480, 480), np.asarray(pillow))
    assert nearest_indices(5, 3).tolist() == [0, 2, 4]


def test_scores_equal_a_literal_lavt_loop():
    truths, answers = random_masks(60, seed=1), random_masks(60, seed=2)
    answers[::3] = truths[::3]
    overlaps = [
        overlap(encode_mask(a), encode_mask(t)) for a, t in zip(answers, truths, strict=True)
    ]
    mean, overall, precision = lavt_loop(answers, truths)
    assert mean_iou(overlaps) == pytest.approx(mean, abs=1e-12)
    assert overall_iou(overlaps) == pytest.approx(overall, abs=1e-12)
    found = [precision_at(t, overlaps) for t in THRESHOLDS]
    assert found == pytest.approx(precision.tolist(), abs=1e-12)


def test_no_expression_has_no_score():
    assert all(math.isnan(value) for value in scores([]).values())


pairs = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda p: Overlap(min(p), max(p))),
    min_size=1,
    max_size=12,
)


@given(pairs, st.randoms())
def test_order_of_expressions_does_not_matter(overlaps, random):
    mixed = list(overlaps)
    random.shuffle(mixed)
    assert scores(mixed) == pytest.approx(scores(overlaps), nan_ok=True)


@given(pairs, st.integers(0, 12))
def test_merged_shards_score_as_one_pass(overlaps, cut):
    images = [f"{i % 4}" for i in range(len(overlaps))]
    parts = [overlap_tally(overlaps[s], images[s]) for s in (slice(cut), slice(cut, None))]
    whole, merged = overlap_tally(overlaps, images), parts[0].merge(parts[1])
    assert merged.groups == whole.groups
    assert merged.sums == pytest.approx(whole.sums)


@given(pairs)
def test_precision_falls_as_the_threshold_rises(overlaps):
    found = [precision_at(t, overlaps) for t in THRESHOLDS]
    assert found == sorted(found, reverse=True)


def test_truth_scores_one_and_nothing_scores_zero():
    masks = [encode_mask(m) for m in random_masks(20, seed=3) if m.any()]
    assert set(scores([overlap(m, m) for m in masks]).values()) == {1.0}
    assert set(scores([overlap(None, m) for m in masks], LAVT).values()) == {0.0}


def test_rle_runs_read_cocos_code():
    assert rle_runs("5220003").tolist() == [5, 2, 2, 2, 2, 2, 5]
    for mask in random_masks(30, h=57, w=91, seed=4):
        flat = np.concatenate(([False], mask.ravel(order="F"), [False]))
        edges = np.flatnonzero(flat[1:-1] != flat[:-2])
        runs = np.diff(np.concatenate(([0], edges, [mask.size])))
        assert rle_runs(encode_mask(mask)["counts"]).tolist() == runs.tolist()


@pytest.mark.parametrize(
    ("rle", "said"),
    [
        ({"size": [4, 5]}, "without size and counts"),
        ({"size": [5, 4], "counts": "5220003"}, r"of size \[5, 4\]"),
        ({"size": [4, 5], "counts": [5, 2]}, "not text"),
        ({"size": [4, 5], "counts": "5 2"}, "outside COCO's alphabet"),
        ({"size": [4, 5], "counts": "5ü"}, "outside ASCII"),
        ({"size": [4, 5], "counts": "5220"}, "cover 11 pixels"),
        ({"size": [4, 5], "counts": "52200P"}, "cut off"),
        ({"size": [4, 5], "counts": "5O"}, "negative run"),
    ],
)
def test_f17_broken_rle_is_named(rle, said):
    with pytest.raises(ValueError, match=said):
        read_rle(rle, 4, 5)


@pytest.mark.parametrize("size", [[4, 5], [4.0, 5.0]])
def test_a_good_rle_passes(size):
    rle = {"size": [4, 5], "counts": "5220003"}
    assert read_rle({"size": size, "counts": "5220003"}, 4, 5) == rle


def test_runs_whose_sum_wraps_to_the_image_are_refused():
    case = json.loads((CASES / "rle_overflow.jsonl").read_text())["masks"][0]
    with pytest.raises(ValueError, match="a run is longer than any image"):
        read_rle(case, 448, 448)
    # differences of 31 bits each: no single one is too long, their sums are
    longest = "oooooo0" * 40  # 2^30 - 1, again and again
    with pytest.raises(ValueError, match="a run that is longer than the image"):
        read_rle({"size": [448, 448], "counts": longest}, 448, 448)


def test_iou_matrix_equals_pixel_counts():
    left, right = random_masks(5, seed=5), random_masks(4, seed=6)
    left.append(np.zeros_like(left[0]))
    right.append(np.zeros_like(left[0]))
    found = iou_matrix([encode_mask(m) for m in left], [encode_mask(m) for m in right])
    for p, a in enumerate(left):
        for g, b in enumerate(right):
            union = np.count_nonzero(a | b)
            want = np.count_nonzero(a & b) / union if union else 0.0
            assert found[p, g] == pytest.approx(want, abs=1e-12)
    assert iou_matrix([], [encode_mask(right[0])]).shape == (0, 1)
