"""GCG metrics against the protocol's hand counts and COCOeval itself."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.optimize import linear_sum_assignment

from geomag.geometry import encode_mask, mask_area
from geomag.metrics.grounding import (
    Detections,
    average_precision,
    detect,
    greedy_mean_iou,
    recall_matches,
)
from geomag.metrics.masks import iou_matrix


def box(rows, cols, size=(10, 10)):
    mask = np.zeros(size, dtype=bool)
    mask[rows[0] : rows[1] + 1, cols[0] : cols[1] + 1] = True
    return encode_mask(mask)


# protocols/gcg#worked-example; rows and columns inclusive
G1 = [box((0, 1), (0, 4)), box((5, 8), (0, 4)), box((5, 8), (6, 9))]
P1 = [G1[0], box((5, 8), (0, 2)), box((9, 9), (0, 1))]
G2, P2 = [box((0, 4), (0, 3))], [box((0, 1), (0, 3))]


def ap(images):
    return average_precision([detect(iou_matrix(p, g)) for p, g in images])


def coco_ap50(images):
    """AP50 by pycocotools: category 1, score 1, image ids by position."""
    truths, answers = [], []
    for image, (predictions, labels) in enumerate(images):
        for kept, masks in ((answers, predictions), (truths, labels)):
            for mask in masks:
                row = {"image_id": image, "category_id": 1, "segmentation": dict(mask)}
                row |= {"score": 1.0, "iscrowd": 0, "area": mask_area(mask)}
                kept.append(row | {"id": len(kept) + 1})
    with contextlib.redirect_stdout(io.StringIO()):
        gold = COCO()
        gold.dataset = {
            "images": [{"id": i, "height": 10, "width": 10} for i in range(len(images))],
            "annotations": truths,
            "categories": [{"id": 1, "name": "object"}],
        }
        gold.createIndex()
        runner = COCOeval(gold, gold.loadRes(answers), "segm")
        runner.params.catIds = [1]
        runner.evaluate()
        runner.accumulate()
        runner.summarize()
    return float(runner.stats[1])


def test_ap50_worked_example():
    assert ap([(P1, G1), (P2, G2)]) == pytest.approx(51 / 101, abs=1e-9)
    reordered = [P1[2], P1[0], P1[1]]
    assert ap([(reordered, G1), (P2, G2)]) == pytest.approx(51 / 101 * 2 / 3, abs=1e-9)
    assert coco_ap50([(P1, G1), (P2, G2)]) == pytest.approx(51 / 101, abs=1e-9)


def random_image(rng):
    def blobs(n):
        masks = []
        for _ in range(n):
            r, c = rng.integers(0, 7, 2)
            h, w = rng.integers(1, 4, 2)
            masks.append(box((r, r + h - 1), (c, c + w - 1)))
        return masks

    truths = blobs(int(rng.integers(1, 6)))
    answers = blobs(int(rng.integers(0, 6)))
    answers += [m for m in truths if rng.random() < 0.5]
    return [answers[i] for i in rng.permutation(len(answers))], truths


@pytest.mark.parametrize("seed", range(8))
def test_ap50_equals_pycocotools(seed):
    rng = np.random.default_rng(seed)
    images = [random_image(rng) for _ in range(12)]
    assert ap(images) == pytest.approx(coco_ap50(images), abs=1e-9)


def test_ap50_loses_the_masks_after_the_hundredth_as_pycocotools_does():
    far = box((9, 9), (9, 9))
    images = [([far] * 100 + [G2[0]], G2), (P1, G1)]
    assert ap(images) == pytest.approx(coco_ap50(images), abs=1e-9)
    assert detect(iou_matrix(images[0][0], G2)).hits.sum() == 0


def test_weights_of_ap_are_repeated_images():
    images = [detect(iou_matrix(P1, G1)), detect(iou_matrix(P2, G2))]
    twice = average_precision([images[0], images[0], images[1]])
    assert average_precision(images, np.array([2.0, 1.0])) == twice
    assert np.isnan(average_precision(images, np.array([0.0, 0.0])))


def test_no_mask_at_all_has_ap_zero():
    assert average_precision([Detections(np.zeros(0, dtype=bool), 3)]) == 0.0


def test_mean_iou_worked_example():
    first, second = greedy_mean_iou(iou_matrix(P1, G1)), greedy_mean_iou(iou_matrix(P2, G2))
    assert (first, second) == (pytest.approx(0.8), pytest.approx(0.4))
    assert (first + second) / 2 == pytest.approx(0.6)


def test_greedy_is_not_the_best_pairing():
    iou = np.array([[0.8, 0.75], [0.7, 0.0]])
    assert greedy_mean_iou(iou) == 0.8
    assert iou[linear_sum_assignment(-iou)].mean() == pytest.approx(0.725)
    assert greedy_mean_iou(np.zeros((2, 2))) == 0.0
    assert greedy_mean_iou(np.zeros((0, 2))) == 0.0


def test_two_empty_masks_end_glamms_own_loop_with_zero():
    assert greedy_mean_iou(np.array([[np.nan, 0.0], [0.0, 0.9]])) == 0.0
    assert recall_matches(np.array([[np.nan, 0.0], [0.0, 0.4]])) == 1


def test_recall_worked_example():
    iou = [iou_matrix(P1, G1).T, iou_matrix(P2, G2).T]
    alike = [np.ones_like(m) for m in iou]
    assert sum(recall_matches(m, t) for m, t in zip(iou, alike, strict=True)) == 2
    alike[0][0, 0] = 0.49
    assert sum(recall_matches(m, t) for m, t in zip(iou, alike, strict=True)) == 0
    on = [recall_matches(m, t, early_stop=False) for m, t in zip(iou, alike, strict=True)]
    assert sum(on) == 1


def test_recall_matrix_form():
    iou = np.array([[0.9, 0.2], [0.1, 0.6]])
    text = np.array([[0.49, 0.9], [0.9, 0.9]])
    assert recall_matches(iou, text) == 0
    text[0, 0] = 0.5
    assert recall_matches(iou, text) == 2
    assert recall_matches(iou) == 2


unit = st.floats(0, 1, allow_nan=False)


@settings(max_examples=60)
@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_stopping_early_never_finds_more(n_truths, n_masks, data):
    def matrix():
        flat = data.draw(st.lists(unit, min_size=n_truths * n_masks, max_size=n_truths * n_masks))
        return np.array(flat).reshape(n_truths, n_masks)

    iou, text = matrix(), matrix()
    early = recall_matches(iou, text)
    on = recall_matches(iou, text, early_stop=False)
    # going on may beat IoU alone: the pair that fails on words frees two others
    assert early <= on <= min(n_truths, n_masks)
    assert early <= recall_matches(iou) <= min(n_truths, n_masks)
