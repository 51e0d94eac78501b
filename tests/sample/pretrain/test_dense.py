"""Labels on a tower's grid, and a loss in which a vehicle weighs as much as a stadium."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from geomag.sample.draw.scene import draw_objects
from geomag.sample.pretrain.dense import (
    CATEGORIES,
    COLOURS,
    N_LABELS,
    TWINS,
    coarse_labels,
    dense_labels,
    pointing_loss,
)
from geomag.seeds import generator


@pytest.mark.parametrize("side", [8, 32])
def test_coarse_labels_are_the_pooled_one_hot_map(side):
    labels = [dense_labels(draw_objects(generator("coarse", i)), 64) for i in range(3)]
    cells = coarse_labels(labels, side)
    for b, label in enumerate(labels):
        index = torch.from_numpy(np.stack([label.category, label.colour])).long()
        classes = F.one_hot(index[0] + 1, len(CATEGORIES) + 1)[..., 1:]
        colours = F.one_hot(index[1] + 1, len(COLOURS) + 1)[..., 1:]
        fine = torch.cat([classes, colours], dim=-1).permute(2, 0, 1).float()
        fine[TWINS] = fine[TWINS].amax(0)
        assert torch.equal(cells.present[b], F.adaptive_max_pool2d(fine[None], side)[0])
    assert cells.present.shape == (3, N_LABELS, side, side)
    covered = torch.from_numpy(np.stack([(label.centre != 0).any(0) for label in labels]))
    assert float(cells.share.mean()) == pytest.approx(float(covered.float().mean()))


def test_cars_and_vehicles_are_one_thing():
    labels = [
        dense_labels(draw_objects(generator("twins", i), categories=["car"]), 64) for i in range(2)
    ]
    present = coarse_labels(labels, 16).present
    assert bool(present[:, CATEGORIES.index("car")].any())
    assert torch.equal(*present[:, TWINS].unbind(1))


def test_pointing_counts_each_label_once_whatever_its_area():
    present = torch.zeros(1, 2, 4, 4)
    present[0, 0, :2] = 1  # 8 of 16 cells
    present[0, 1, 3, 3] = 1  # one cell
    flat = pointing_loss(torch.zeros(1, 2, 4, 4), present)
    assert float(flat) == pytest.approx((math.log(2) + math.log(16)) / 2, abs=1e-6)
    sure = torch.where(present > 0, 30.0, -30.0)
    assert float(pointing_loss(sure, present)) == pytest.approx(0, abs=1e-6)
    assert float(pointing_loss(sure, torch.zeros_like(present))) == 0
