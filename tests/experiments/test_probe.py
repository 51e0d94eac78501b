"""Settings of the probe side by side: what changes, what cannot, and the figures by hand."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from geomag.cli.main import app
from geomag.experiments.probe import changes, compare_probes
from tests.experiments.test_windows import record
from tests.model.whole import tiny_geomag, tiny_profile


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    draw, records = np.random.default_rng(1), []
    for number in range(6):
        pixels = draw.integers(0, 256, (90, 120, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        mask = np.zeros((90, 120), dtype=bool)
        mask[10:50, 10 + 10 * number : 60 + 10 * number] = True
        records.append(record(number, f"{number}.png", mask))
    records.append(record(6, "0.png"))  # nothing is marked: left out
    model = tiny_geomag(seed=2, magcrop={"min_px": 16}, score={"resamples": 50}).eval()
    lines = []
    found = compare_probes(model, model.profile, folder, records, log=lines.append)
    assert len(lines) == len(found["rows"])
    return found


def test_every_switch_but_the_profile_s_own_value_is_tried_once():
    profile = tiny_profile(magcrop={"layer": 0, "gamma": 1.0})
    tried = changes(profile, 3)
    assert [value for _, name, value in tried if name == "layer"] == [1, 2]
    assert [value for _, name, value in tried if name == "gamma"] == [0.0, 0.25, 0.5]
    assert ("magcrop", "weights", "base") not in tried  # the profile's own
    assert len(tried) == len(set(tried))


def test_the_profile_is_its_own_measure_and_window_rules_leave_the_maps_alone(result):
    rows = {row["setting"]: row for row in result["rows"]}
    assert result["n"] == 6
    assert rows["profile"]["pointing_difference"] == [0.0, 0.0, 0.0]
    assert rows["profile"]["crop_recall_difference"] == [0.0, 0.0, 0.0]
    for name, row in rows.items():
        gap, low, high = row["crop_recall_difference"]
        assert low <= gap <= high
        assert gap == pytest.approx(row["crop_recall"] - rows["profile"]["crop_recall"]), name
        if any(rule in name for rule in ("gamma", "delta", "rule", "margin")):
            assert row["pointing"] == rows["profile"]["pointing"], name
    # windows divided by their area are smaller than those that are not
    assert rows["magcrop.gamma: 1.0"]["side"] < rows["magcrop.gamma: 0.0"]["side"]
    assert rows["magcrop.margin: 0.25"]["side"] > rows["profile"]["side"]


def test_the_base_model_and_an_untrained_adapter_look_alike(result):
    rows = {row["setting"]: row for row in result["rows"]}
    current = rows["magcrop.weights: current"]
    assert current["pointing_difference"] == [0.0, 0.0, 0.0]  # LoRA's B starts at zero


def test_a_split_or_a_benchmark_without_windows_is_refused_by_name():
    said = CliRunner().invoke(app, ["experiment", "probe", "rrsis_d", "--split", "train"])
    assert isinstance(said.exception, Exception)
    assert "val or test" in str(said.exception)
    said = CliRunner().invoke(app, ["experiment", "probe", "aid"])
    assert "one that MagCrop crops" in str(said.exception)
