"""Large images: probed by tiles, seen by SAM2 through the window, masks pasted back."""

import numpy as np
import pytest
import torch

from geomag.data.benchmarks import Granularity
from geomag.geometry import PixelBox
from geomag.inference.probing import Probed, probe_all, window_rule
from geomag.magcrop.crops import windows
from geomag.model.large import is_large, probed_tiles, settings_for
from geomag.model.model_input import magcrop_input
from geomag.model.query import Query
from tests.model.tiny import tiny_vlm
from tests.model.whole import tiny_geomag, tiny_profile

LARGE = {"large_px": 200, "tile_px": 100, "sizes": [0.25, 0.5], "min_px": 20}
IMAGE = np.random.default_rng(0).integers(0, 256, (180, 300, 3), dtype=np.uint8)
PROMPT = "Where is the red ship?"


def profile(**magcrop):
    return tiny_profile(magcrop={**LARGE, **magcrop})


def test_only_images_beyond_the_limit_are_large():
    assert is_large(IMAGE, profile())
    assert not is_large(IMAGE[:, :200], profile())
    assert not is_large(IMAGE, profile(large_px=0))
    assert not is_large(np.zeros((800, 800, 3), np.uint8), tiny_profile())


def test_sam2_sees_the_window_of_a_large_image_only():
    assert settings_for(IMAGE, profile()).encoder.input == "crop"
    assert settings_for(IMAGE[:100, :100], profile()).encoder.input == "adjusted"
    assert settings_for(IMAGE, profile(large_probe="global")).encoder.input == "adjusted"


def test_the_merged_map_holds_each_tiles_own_map_in_its_place():
    vlm, settings = tiny_vlm(), profile()
    (heat,) = probe_all(vlm, [Probed(IMAGE, PROMPT, Granularity.REGION)], settings)
    boxes = probed_tiles(IMAGE, settings)
    assert [box.as_ints() for box in boxes][:2] == [(0, 0, 100, 90), (100, 0, 200, 90)]
    assert heat.first.shape == (2 * 4, 3 * 4)
    small = tiny_profile()
    for number, box in enumerate(boxes):
        x0, y0, x1, y1 = box.as_ints()
        (alone,) = probe_all(vlm, [Probed(IMAGE[y0:y1, x0:x1], PROMPT, Granularity.REGION)], small)
        row, column = divmod(number, 3)
        part = heat.first[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert np.abs(part - alone.first).max() <= 1e-4 * alone.first.max()


def test_a_pixel_level_window_of_a_large_image_holds_a_second_one():
    settings = profile()
    (heat,) = probe_all(tiny_vlm(), [Probed(IMAGE, PROMPT, Granularity.PIXEL)], settings)
    boxes = windows(heat, width=300, height=180, rule=window_rule(settings))
    assert heat.second.shape == (4, 4)
    assert boxes[0].width <= 0.5 * 180 + 2 * 300 / 12  # half the short side, in whole cells
    assert boxes[0].contains(boxes[1])


@pytest.mark.parametrize("large_probe", ["pyramid", "global"])
def test_without_tiles_the_whole_image_is_probed_once(large_probe):
    settings = profile(large_probe=large_probe)
    (heat,) = probe_all(tiny_vlm(), [Probed(IMAGE, PROMPT, Granularity.REGION)], settings)
    assert heat.first.shape == (4, 4)


def test_half_a_side_gives_a_map_of_a_quarter_of_the_cells():
    (heat,) = probe_all(
        tiny_vlm(),
        [Probed(IMAGE, PROMPT, Granularity.REGION)],
        tiny_profile(magcrop={"probe_px": 28}),
    )
    assert heat.first.shape == (2, 2)
    assert (heat.first >= 0).all()
    assert heat.first.max() > 0


def test_a_mask_of_the_window_comes_back_in_its_place():
    model = tiny_geomag(magcrop=LARGE).eval()
    box = PixelBox(120, 60, 180, 120)
    model_input = magcrop_input(
        IMAGE, Granularity.REGION, (box,), settings_for(IMAGE, model.profile)
    )
    assert np.array_equal(model_input.encoder_image, IMAGE[60:120, 120:180])
    logits = torch.full((16, 16), -5.0)
    logits[:, 8:] = 5.0
    mask, chance = model._paste(Query(model_input, "", 180, 300), logits)
    assert mask.shape == (180, 300)
    assert mask[60:120, 150:180].all()
    assert mask.sum() == 60 * 30
    assert set(chance[60:120, 160:180].ravel()) == {253}  # sigmoid(5) in 255ths
    assert not chance[:60].any()
