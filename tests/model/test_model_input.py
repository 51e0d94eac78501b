"""What a look costs: budgets of visual tokens, and the three ways to fewer.

See protocols/model#visual-tokens.
"""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geomag.config import load_profile, override
from geomag.data.benchmarks import Granularity, Split, Task
from geomag.data.records import Record
from geomag.errors import ConfigError
from geomag.geometry import PixelBox
from geomag.magcrop.crops import Heat
from geomag.magcrop.views import ImageView, pruned
from geomag.model.model_input import magcrop_input, plain_input
from geomag.model.vision import merge, visual_tokens
from geomag.train.inputs import with_budget
from geomag.train.samples import token_targets
from tests.model.tiny import tiny_vlm
from tests.model.whole import tiny_geomag

IMAGE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
BOX, INNER = PixelBox(20, 10, 80, 70), PixelBox(30, 20, 60, 50)
HEAT = Heat(np.arange(144, dtype=np.float32).reshape(12, 12))
LEVELS = {Granularity.IMAGE: (), Granularity.REGION: (BOX,), Granularity.PIXEL: (BOX, INNER)}


def profile(**magcrop):
    return override(load_profile("sample"), magcrop={"view": "tokens", **magcrop})


@given(
    budget=st.integers(16, 200),
    fewer=st.sampled_from(["native", "pooled", "prune"]),
    level=st.sampled_from(list(LEVELS)),
)
def test_no_look_exceeds_its_budget_however_it_gets_there(budget, fewer, level):
    settings = profile(budget=budget, fewer=fewer)
    seen = magcrop_input(IMAGE, level, LEVELS[level], settings, HEAT)
    for model_input in (seen, plain_input(IMAGE, settings)):
        assert 1 <= model_input.n_tokens(14) <= min(budget, 144)


def test_the_image_level_has_49_tokens_where_it_is_asked_for_and_else_eq_2_s():
    model_input = magcrop_input(IMAGE, Granularity.IMAGE, (), profile(image_budget=49))
    assert model_input.image is IMAGE
    assert model_input.views == (ImageView(None, 98),)
    assert model_input.n_tokens(14) == 49
    pooled = profile(image_budget=49, fewer="pooled")
    assert magcrop_input(IMAGE, Granularity.IMAGE, (), pooled).views == (
        ImageView(None, 168, pooled=7),
    )
    least = profile(image_budget=49, budget=36)
    assert magcrop_input(IMAGE, Granularity.IMAGE, (), least).n_tokens(14) == 36
    eq2 = magcrop_input(IMAGE, Granularity.IMAGE, (), profile())
    assert eq2.image.shape == (100, 100, 3)
    assert eq2.views == (ImageView(None, 168),)


def test_a_budget_below_a_token_for_each_view_is_refused():
    for name in ("budget", "image_budget"):
        with pytest.raises(ConfigError, match=rf"magcrop.{name} 9 leaves a view without a token"):
            profile(**{name: 9})
    with pytest.raises(ConfigError, match=r"train.budgets\[1\] 9 leaves a view without a token"):
        override(load_profile("sample"), train={"budgets": (36, 9)})


def test_pruning_keeps_the_hottest_tokens_in_their_order_and_one_for_the_rest():
    heat = np.zeros((4, 4), np.float32)
    heat[1, 2], heat[3, 0], heat[0, 0] = 3, 2, 1
    view = pruned(heat, budget=4, side_px=56, patch_px=14)
    assert view.kept == (0, 6, 12)
    assert view.n_tokens(14) == 4
    assert pruned(heat, budget=16, side_px=56, patch_px=14) == ImageView(None, 56)


def test_a_finer_map_ranks_the_tokens_by_its_means():
    heat = np.zeros((8, 8), np.float32)
    heat[2:4, 4:6] = 1  # token (1, 2) of 4 x 4
    assert pruned(heat, budget=2, side_px=56, patch_px=14).kept == (6,)


def test_pooled_features_are_averages_before_the_projector():
    llava = tiny_vlm().llava.model
    side = llava.config.vision_config.image_size
    pixels = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 2)
    seen = []
    hook = llava.multi_modal_projector.register_forward_pre_hook(lambda _, a: seen.append(a[0]))
    with torch.no_grad():
        visual_tokens(llava, pixels, boxes)
        tokens = visual_tokens(llava, pixels, boxes, pooled=2)
    hook.remove()
    grid = side // 14
    features = seen[0].reshape(2, 2, grid // 2, 2, grid // 2, -1).mean((2, 4)).flatten(1, 2)
    assert tokens.shape[1] == 4
    assert torch.allclose(seen[1], features, atol=1e-6)


def test_merged_tokens_and_their_targets_stand_in_the_same_order():
    view = ImageView(None, 56, kept=(1, 6))
    mask = np.zeros((80, 80), dtype=bool)
    mask[20:40, 40:60] = True  # token 6 whole
    targets = token_targets(mask, view, patch_px=14, width=80, height=80)
    assert targets.tolist() == [0.0, 1.0, 0.0]
    tokens = torch.arange(16.0)[:, None]
    rest = (sum(range(16)) - 7) / 14
    assert merge(tokens, view.kept)[:, 0].tolist() == pytest.approx([1.0, 6.0, rest])


@pytest.mark.parametrize("fewer", ["native", "pooled", "prune"])
def test_the_model_reads_as_many_tokens_as_the_look_says(fewer):
    settings = {"view": "tokens", "budget": 16, "fewer": fewer}
    vlm = {"image_px": 112}
    model = tiny_geomag(magcrop=settings, vlm=vlm, encoder={"input": "crop"}).eval()
    model_inputs = [
        plain_input(IMAGE, model.profile),
        magcrop_input(IMAGE, Granularity.PIXEL, (BOX, INNER), model.profile, HEAT),
    ]
    for model_input, tokens in zip(model_inputs, model.visual(model_inputs), strict=True):
        assert len(tokens) == model_input.n_tokens(14) <= 16


def test_every_image_draws_one_of_the_budgets_for_all_its_records():
    sample = override(load_profile("sample"), train={"budgets": (36, 64, 144)})
    facts = {"benchmark": "any", "split": Split.TRAIN, "task": Task.VQA, "width": 9, "height": 9}

    def budget(number: int, image: int) -> int:
        record = Record(id=str(number), image=f"{image}.png", **facts)
        return with_budget(sample, record).magcrop.budget

    drawn = [budget(n, n) for n in range(300)]
    counts = [drawn.count(b) for b in (36, 64, 144)]
    assert counts == pytest.approx([100, 100, 100], abs=30)
    assert [budget(n, 7) for n in range(5)] == [budget(0, 7)] * 5
    assert with_budget(load_profile("sample"), Record(id="1", image="1.png", **facts)) == (
        load_profile("sample")
    )
