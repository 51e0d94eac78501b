"""Why no window was cut, for each way that leads there."""

import numpy as np
import pytest

from geomag.config import load_profile, override
from geomag.data.benchmarks import Granularity
from geomag.geometry import PixelBox
from geomag.inference.inspect import why_whole
from geomag.inference.probes import WindowProposal
from geomag.inference.prompt import Prompt
from geomag.inference.question import PreparedQuestion, Question
from geomag.magcrop.granularity import GranularityDecision
from geomag.model.model_input import plain_input
from geomag.model.query import ModelAnswer, Query

IMAGE = np.zeros((100, 100, 3), dtype=np.uint8)
PIXEL, REGION = Granularity.PIXEL, Granularity.REGION


def drawn(*box):
    mask = np.zeros((100, 100), dtype=bool)
    if box:
        x0, y0, x1, y1 = box
        mask[y0:y1, x0:x1] = True
    return ModelAnswer("It is [SEG].", (mask,), (), mask_scores=(0.6,))


class Settings:
    """A pipeline as far as its settings."""

    def __init__(self, **magcrop):
        self.profile = override(load_profile("sample"), magcrop=magcrop)


def reason(level, proposal, **magcrop):
    pipeline = Settings(**magcrop)
    query = Query(plain_input(IMAGE, pipeline.profile), "Mark it.", 100, 100)
    decision = GranularityDecision(level, 0.9)
    return why_whole(
        pipeline,
        PreparedQuestion(Question(IMAGE, Prompt("Mark it.", "it")), decision, proposal, query),
    )


def proposed(answer=None, confidence=0.0, boxes=()):
    return WindowProposal(boxes=boxes, confidence=confidence, plain=answer)


@pytest.mark.parametrize(
    ("level", "proposal", "settings", "words"),
    [
        (Granularity.IMAGE, None, {}, "at image level the whole image is read"),
        (
            REGION,
            proposed(confidence=0.2),
            {"probe": "attention", "gate": 0.35},
            "holds 20% of the heat, and magcrop.gate asks for 35%",
        ),
        (REGION, proposed(), {}, "the prompt was judged to be about a region"),
        (PIXEL, proposed(drawn()), {}, "drew no mask to look around"),
        (PIXEL, proposed(drawn(10, 10, 90, 90), 0.6), {}, "100 pixels long, almost the image"),
        (
            PIXEL,
            proposed(drawn(40, 40, 50, 50), 0.6),
            {"mask_gate": 0.7},
            "has the probability 0.60, and magcrop.mask_gate asks for 0.70",
        ),
    ],
)  # fmt: skip
def test_the_reason_is_named(level, proposal, settings, words):
    assert words in reason(level, proposal, **settings)


def test_a_window_needs_no_reason():
    box = (PixelBox(10, 10, 50, 50),)
    assert reason(PIXEL, proposed(drawn(20, 20, 30, 30), 0.6, box)) == ""
