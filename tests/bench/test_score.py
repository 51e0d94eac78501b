"""The benches of scoring: what they time is right, and the figures are of the whole run."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from geomag.bench.masks import bench_masks, lavt_loop, lavt_scores
from geomag.bench.memory import PERIOD_S, Meter, descendants_mb
from geomag.bench.score import bench_score, made_up
from geomag.metrics.segmentation import overlap, scores


def test_mask_metrics_equal_the_loop_to_1e_12():
    pairs = [
        (record.masks[0], answer["masks"][0])
        for (record, answer), _ in zip(made_up("refsegrs"), range(120), strict=False)
    ]
    ours = scores([overlap(answer, truth) for truth, answer in pairs])
    looped = lavt_scores(pairs)
    assert looped.keys() == ours.keys()
    assert ours == pytest.approx(looped, abs=1e-12)
    assert 0.1 < ours["mean_iou"] < 0.95


def test_the_loop_by_hand():
    truth, answer = np.zeros((2, 8), dtype=bool), np.zeros((2, 8), dtype=bool)
    truth[0, :4], answer[0, 1:5] = True, True
    empty = np.zeros_like(truth)
    found = lavt_loop([(truth, answer), (empty, empty)])
    assert found["mean_iou"] == pytest.approx(0.3)
    assert found["overall_iou"] == pytest.approx(3 / 5)
    assert found["precision_at_0.6"] == 0.5


def test_the_mask_bench_says_how_many_times_as_long_the_loop_takes():
    said: list[str] = []
    found = bench_masks(n_masks=40, log=said.append)
    assert found["largest_difference"] <= 1e-12
    assert found["times"]["decoding"] == pytest.approx(
        found["us_loop"]["decoding"] / found["us_on_runs"], rel=0.01
    )
    assert len(said) == 3


@pytest.mark.integration
def test_the_score_bench_runs_sets_side_by_side():
    said: list[str] = []
    found = bench_score(share=0.002, only=["rsvqa_lr", "aid", "refsegrs"], jobs=2, log=said.append)
    assert set(found["benchmarks"]) == {"rsvqa_lr", "aid", "refsegrs"}
    assert found["benchmarks"]["aid"]["records"] == 20
    total = found["total"]
    slowest = max(row["seconds"] for row in found["benchmarks"].values())
    assert slowest <= total["seconds"] + 0.1
    assert total["peak_mb"] > 40
    assert said[-1].endswith("2 at once")


def test_the_meter_counts_children_and_their_children():
    inner = "block = bytearray(120_000_000); block[::4096] = b'x' * len(block[::4096]); input()"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with Meter() as meter:
        child = subprocess.Popen([sys.executable, "-c", outer], stdin=subprocess.PIPE)
        while descendants_mb(os.getpid()) < 120 and child.poll() is None:
            time.sleep(0.05)
        time.sleep(2 * PERIOD_S)
        child.communicate(b"\n")
    assert 120 < meter.peak_mb < 400
    assert descendants_mb(os.getpid()) < 120
