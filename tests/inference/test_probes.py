"""Window probes: what each looks at, when each gives up, and the controls beside them."""

from dataclasses import replace

import numpy as np
import pytest

from geomag.data.benchmarks import Granularity
from geomag.geometry import PixelBox
from geomag.inference.probes import (
    AttentionProbe,
    JointProbe,
    MaskOrSearch,
    MaskProbe,
    OracleProbe,
    ProbeRequest,
    RandomProbe,
    build_probe,
)
from geomag.magcrop.crops import Heat
from geomag.magcrop.mask_window import mask_window
from geomag.model.query import ModelAnswer
from tests.model.whole import tiny_geomag

IMAGE = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
TRUTH = np.zeros((200, 300), dtype=bool)
TRUTH[20:40, 30:50] = True
MASK = np.zeros((200, 300), dtype=bool)
MASK[150:170, 200:230] = True
HEAT = np.zeros((4, 4), dtype=np.float32)
HEAT[3, 0] = 9.0
HEAT += 0.01
REGION = Granularity.REGION


def wanted(granularity=Granularity.PIXEL, **values):
    prompts = {"prompt": "Mark the ship.", "probe_prompt": "Where is the ship?"}
    return ProbeRequest(image=IMAGE, granularity=granularity, **prompts, **values)


def model_that_draws(mask, score, **magcrop):
    """A tiny model whose plain answer is known."""
    model = tiny_geomag(magcrop={"min_px": 16, "sizes": [0.25], **magcrop}).eval()
    asked = []

    def answer(queries, *, max_new_tokens):
        asked.extend(queries)
        masks = () if mask is None else (mask,)
        return [ModelAnswer("It is [SEG].", masks, (), 0, (score,) * len(masks)) for _ in queries]

    model.answer = answer
    return model, asked


def test_attention_takes_stored_maps_and_probes_the_others():
    model = tiny_geomag(magcrop={"sizes": [0.25], "min_px": 16}).eval()
    stored, new = AttentionProbe(model, model.profile).find(
        [wanted(REGION, heat=Heat(HEAT)), wanted()]
    )
    assert stored.boxes == (PixelBox(0, 150, 75, 200),)
    assert stored.confidence == pytest.approx(9.01 / HEAT.sum())
    assert new.heat.first.shape == (4, 4)
    assert new.heat.second is not None
    assert len(new.boxes) == 2


def test_a_stored_second_map_is_looked_through_where_it_is_of_the_window_found_now():
    model = tiny_geomag(magcrop={"sizes": [0.25], "min_px": 16}).eval()
    (probed,) = AttentionProbe(model, model.profile).find([wanted()])
    kept = replace(probed.heat, second=HEAT)
    moved = replace(kept, box=PixelBox(75, 50, 150, 100))
    found = AttentionProbe(model, model.profile).find(
        [
            wanted(heat=kept),
            wanted(heat=moved),
            wanted(heat=Heat(probed.heat.first)),
            wanted(REGION, heat=kept),
        ]
    )
    assert found[0].heat.second is HEAT
    for again in found[1:3]:  # of another window, or of none: as if nothing were stored
        assert np.allclose(again.heat.second, probed.heat.second, atol=1e-6)
        assert again.heat.box == probed.heat.box
        assert again.boxes == probed.boxes
    assert found[3].boxes == probed.boxes[:1]


def test_attention_leaves_the_image_whole_where_the_heat_is_spread():
    model = tiny_geomag(magcrop={"sizes": [0.25], "min_px": 16, "gate": 0.5}).eval()
    flat = Heat(np.ones((4, 4), dtype=np.float32))
    sharp, doubtful = AttentionProbe(model, model.profile).find(
        [wanted(REGION, heat=Heat(HEAT)), wanted(REGION, heat=flat)]
    )
    assert sharp.boxes
    assert doubtful.boxes == ()
    assert doubtful.confidence < 0.5


def test_the_mask_probe_asks_plainly_and_looks_around_what_was_drawn():
    model, asked = model_that_draws(MASK, 0.8)
    (found,) = MaskProbe(model, model.profile).find([wanted()])
    assert found.boxes == (mask_window(MASK, min_px=16).box,)
    assert found.confidence == 0.8
    assert asked[0].model_input.image is IMAGE
    assert asked[0].model_input.views[0].box is None
    assert asked[0].prompt == "Mark the ship."


@pytest.mark.parametrize(
    ("mask", "score", "gate"),
    [(None, 0.0, 0.0), (MASK, 0.6, 0.7), (np.ones_like(MASK), 0.9, 0.0), (MASK & False, 0.0, 0.0)],
)
def test_a_doubtful_mask_gives_no_window(mask, score, gate):
    model, _ = model_that_draws(mask, score, mask_gate=gate)
    (found,) = MaskProbe(model, model.profile).find([wanted()])
    assert found.boxes == ()
    assert found.heat is None


def test_only_pixel_level_questions_are_asked_for_a_mask():
    model, asked = model_that_draws(MASK, 0.8)
    found = MaskProbe(model, model.profile).find([wanted(Granularity.REGION), wanted()])
    assert len(asked) == 1
    assert found[0].boxes == ()
    assert found[1].boxes


@pytest.mark.parametrize("score", [0.9, 0.3])
def test_together_the_mask_leads_where_it_is_sure_and_the_map_elsewhere(score):
    model, _ = model_that_draws(MASK, score, mask_gate=0.5)
    (found,) = JointProbe(model, model.profile).find([wanted(heat=Heat(HEAT))])
    if score > 0.5:
        assert found.boxes == (mask_window(MASK, min_px=16).box,)
    else:
        assert found.boxes[0] == PixelBox(0, 150, 75, 200)
    assert found.heat.first is HEAT


def test_only_a_large_image_is_searched_for_what_its_mask_does_not_show():
    model, _ = model_that_draws(MASK, 0.3, mask_gate=0.5, large_px=250)
    small = replace(wanted(heat=Heat(HEAT)), image=IMAGE[:, :240])
    large = wanted(heat=Heat(HEAT))
    found = MaskOrSearch(model, model.profile).find([large, small, large])
    eq4 = [PixelBox(0, 150, 75, 200)]
    assert [list(one.boxes[:1]) for one in found] == [eq4, [], eq4]
    assert all(one.plain is not None for one in found)


def test_the_oracle_holds_the_target_and_a_random_window_lies_inside():
    model = tiny_geomag(magcrop={"min_px": 16, "sizes": [0.25, 0.5]})
    (found,) = OracleProbe(model.profile).find([wanted(truth=TRUTH)])
    assert found.boxes[0].contains(PixelBox(30, 20, 50, 40))
    assert OracleProbe(model.profile).find([wanted()])[0].boxes == ()
    many = RandomProbe(model.profile, seed=1).find([wanted() for _ in range(40)])
    boxes = [one.boxes[0] for one in many]
    assert all(PixelBox(0, 0, 300, 200).contains(box) for box in boxes)
    assert {round(box.width / 10) for box in boxes} == {5, 10}
    assert len(set(boxes)) > 30
    assert many == RandomProbe(model.profile, seed=1).find([wanted() for _ in range(40)])


@pytest.mark.parametrize(
    ("name", "kind"),
    [("attention", AttentionProbe), ("mask", MaskOrSearch), ("attention+mask", JointProbe)],
)
def test_the_settings_name_the_probe(name, kind):
    model = tiny_geomag(magcrop={"probe": name})
    assert isinstance(build_probe(model, model.profile), kind)
