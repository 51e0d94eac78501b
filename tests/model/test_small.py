"""LLaVA of other parts than LLaVA-1.5's: SigLIP's tower, Qwen2, its own frame; what is refused."""

import json
import shutil

import pytest
import torch
from transformers import LlavaForConditionalGeneration

from geomag.config import load_profile
from geomag.errors import WeightsError
from geomag.io import read_json, write_json
from geomag.magcrop.views import ImageView, plan_views
from geomag.model.tokenizer import framed, load_tokenizer
from geomag.model.vision import tower_features
from geomag.model.weights import load_vlm
from geomag.rehearse.published import VLMS, tiny
from geomag.rehearse.write import write_vlm

NAME = "llava-interleave-qwen-0.5b-hf"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The checkpoint's layout at tiny widths; a side of 60 px, which holds four patches."""
    out = tmp_path_factory.mktemp("small") / NAME
    layout = tiny(VLMS[NAME]())
    layout.config.vision_config.image_size = 60
    write_vlm(out, layout, load_profile("small"))
    return out


@pytest.fixture
def copied(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_prompt_stands_in_the_frame_of_the_checkpoint_s_own_template(folder):
    vlm = load_vlm(folder)
    assert framed(vlm.tokenizer, "Name it.") == (
        "<|im_start|>user\n<image>\nName it.<|im_end|><|im_start|>assistant\n"
    )
    ids = vlm.prompt_ids("Name it.")
    assert ids.count(vlm.image_id) == 1
    assert vlm.tokenizer.decode(ids) == framed(vlm.tokenizer, "Name it.")
    assert vlm.tokenizer.eos_token == "<|im_end|>"


def test_a_template_that_knows_no_image_leaves_llava_s_own_frame(folder):
    tokenizer = load_tokenizer(folder)
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    assert framed(tokenizer, "Name it.") == "USER: <image>\nName it. ASSISTANT:"


def test_what_its_tower_sees_equals_the_stock_features_by_its_own_mean_and_deviation(folder):
    vlm = load_vlm(folder)
    stock = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    pixels = torch.rand(2, 3, 60, 60, generator=torch.Generator().manual_seed(0))
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(2, -1)
    ours = tower_features(vlm.llava.model, pixels, whole)
    seen = stock.model.vision_tower((pixels - 0.5) / 0.5, output_hidden_states=True)
    assert ours.shape == (2, 16, 32)
    assert torch.allclose(ours, seen.hidden_states[-1], atol=1e-6)


def test_a_side_of_no_whole_patches_is_read_at_the_whole_ones():
    profile = load_profile("small")
    views = plan_views([], budget=10_000, patch_px=14, max_px=profile.vlm.image_px)
    assert views == [ImageView(None, 378)]
    assert views[0].n_tokens(14) == 27**2


def test_llava_1_6_is_refused_by_name_with_the_reason(copied):
    config = read_json(copied / "config.json")
    write_json(copied / "config.json", {**config, "model_type": "llava_next"})
    with pytest.raises(WeightsError, match=r"'llava_next': LLaVA-1\.6 reads .* tiles"):
        load_vlm(copied)


def test_a_tower_that_says_no_mean_is_refused(copied):
    (copied / "preprocessor_config.json").unlink()
    with pytest.raises(WeightsError, match="no image_mean and image_std for a siglip"):
        load_vlm(copied)


def test_a_tokenizer_with_another_id_of_image_is_refused(copied):
    config = json.loads((copied / "config.json").read_text())
    write_json(copied / "config.json", {**config, "image_token_index": 5})
    with pytest.raises(WeightsError, match=r"<image> of the tokenizer.*5, image_token_index"):
        load_vlm(copied)
