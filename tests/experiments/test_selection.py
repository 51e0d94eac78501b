"""What each rule would have kept, on answers that are known."""

import numpy as np
import pytest
from PIL import Image

from geomag.data.benchmarks import Split, Task
from geomag.data.records import Record
from geomag.experiments.selection import ALWAYS, RULES, compare_selections
from geomag.geometry import encode_mask
from geomag.model.query import ModelAnswer
from tests.model.whole import tiny_geomag

ROWS = np.arange(90)[:, None] + np.zeros((90, 120), dtype=int)
PLAIN, THROUGH = (ROWS >= 20) & (ROWS < 40), (ROWS >= 24) & (ROWS < 40)  # IoU 16/20
TRUTH = (ROWS >= 28) & (ROWS < 40)
"""12 of the plain answer's 20 rows, and of the window's 16."""


def knowing_model(ahead: float, *, draws: bool = True):
    """A tiny model whose mask through a window is surer by ``ahead``."""
    model = tiny_geomag(magcrop={"min_px": 16, "probe": "mask"}, score={"resamples": 50}).eval()

    def answer(queries, *, max_new_tokens):
        del max_new_tokens
        return [
            ModelAnswer("[SEG]", (THROUGH,), (), 0, (0.5 + ahead,))
            if query.model_input.encoder_box
            or query.model_input.views[0].box
            or len(query.model_input.views) > 1
            else ModelAnswer("[SEG]", (PLAIN if draws else PLAIN & False,), (), 0, (0.5,))
            for query in queries
        ]

    model.answer = answer
    return model


def kept(tmp_path, model):
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    place = {"benchmark": "rrsis_d", "split": Split.VAL, "task": Task.REFERRING, "image": "a.png"}
    size = {"width": 120, "height": 90, "masks": (encode_mask(TRUTH),)}
    record = Record(**place, **size, id="0", text="The red ship.")
    lines = []
    result = compare_selections(model, model.profile, tmp_path, [record], log=lines.append)
    assert len(lines) == 1 + len(RULES), "the window's answer always, then a line a rule"
    return result["records"][0]["scores"]


@pytest.mark.parametrize("ahead", [0.03, -0.03])
def test_a_rule_keeps_the_window_s_answer_when_it_is_ahead_or_both_agree(tmp_path, ahead):
    model = knowing_model(ahead)
    # a mask as wide as the image has no window of its own: look at its left part
    model.profile = tiny_geomag(
        magcrop={"min_px": 16, "probe": "attention", "view": "tokens", "sizes": [0.5]},
        score={"resamples": 50},
    ).profile
    scores = kept(tmp_path, model)
    assert scores["plain"] == pytest.approx(12 / 20)
    assert scores[ALWAYS] == pytest.approx(12 / 16)
    for rule, limits in RULES.items():
        stands = ahead > limits["margin"] or limits["agreement"] < 16 / 20
        assert scores[rule] == pytest.approx(12 / 16 if stands else 12 / 20), rule


def test_without_a_window_every_rule_keeps_the_plain_answer(tmp_path):
    scores = kept(tmp_path, knowing_model(0.3, draws=False))
    assert set(scores.values()) == {0.0}
