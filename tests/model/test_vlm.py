"""Vlm against stock LLaVA: tokens, states, generation, ragged rows (protocols/model#inference)."""

import pytest
import torch

from geomag.geometry import PixelBox
from geomag.magcrop.views import ImageView
from geomag.model.vision import cut, unit_box, visual_tokens
from tests.model.tiny import noise_image, tiny_vlm

PROMPT = "USER: <image>\nMark the red ship in this image with a mask. ASSISTANT:"
OTHER = "USER: <image>\nIs a small building present? ASSISTANT:"


def tokens_of(vlm, image, *views):
    height, width = image.shape[:2]
    parts = [
        visual_tokens(
            vlm.llava.model,
            cut(image, view)[None],
            torch.tensor([unit_box(view, width=width, height=height)]),
        )[0]
        for view in views
    ]
    return torch.cat(parts)


def test_the_whole_image_at_the_native_side_equals_the_stock_tower():
    vlm = tiny_vlm()
    image = noise_image(56, 56)
    ours = tokens_of(vlm, image, ImageView(None, 56))
    pixels = cut(image, ImageView(None, 56))[None]
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)
    stock = vlm.llava.get_image_features((pixels - mean) / std, return_dict=True).pooler_output[0]
    assert torch.allclose(ours, stock, atol=1e-5)


def test_a_crop_takes_the_positions_of_its_place_in_the_image():
    vlm = tiny_vlm()
    with torch.no_grad():  # only positions matter when the patches see a constant image
        vlm.llava.model.vision_tower.embeddings.patch_embedding.weight.zero_()
    image = noise_image(56, 56)
    from geomag.model.vision import _positions

    table = vlm.llava.model.vision_tower.embeddings.position_embedding.weight[1:]
    quarter = _positions(table, torch.tensor([[0.5, 0.0, 1.0, 0.5]]), 2)[0]
    grid = table.reshape(4, 4, -1)
    assert torch.allclose(quarter.reshape(2, 2, -1), grid[0:2, 2:4], atol=1e-5)
    crop = tokens_of(vlm, image, ImageView(PixelBox(28, 0, 56, 28), 28))
    assert crop.shape == (4, 32)


def test_merged_embeddings_give_the_stock_logits():
    vlm = tiny_vlm()
    image = noise_image(56, 56)
    visual = tokens_of(vlm, image, ImageView(None, 56))
    packed = vlm.pack([vlm.ids(PROMPT)], [visual])
    ours = vlm.llava.lm_head(vlm.states(packed))[0, -1]
    ids = vlm.ids(PROMPT)
    at = ids.index(vlm.image_id)
    expanded = torch.tensor([ids[:at] + [vlm.image_id] * 16 + ids[at + 1 :]])
    pixels = cut(image, ImageView(None, 56))[None]
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)
    stock = vlm.llava(
        input_ids=expanded,
        pixel_values=(pixels - mean) / std,
        attention_mask=torch.ones_like(expanded),
    ).logits[0, -1]
    assert torch.allclose(ours, stock, atol=1e-5)


def test_ragged_left_padded_rows_equal_single_rows():
    vlm = tiny_vlm()
    image = noise_image(90, 70)
    long = tokens_of(vlm, image, ImageView(None, 56), ImageView(PixelBox(10, 10, 50, 50), 28))
    short = tokens_of(vlm, image, ImageView(None, 28))
    both = vlm.states(vlm.pack([vlm.ids(PROMPT), vlm.ids(OTHER)], [long, short]))
    first = vlm.states(vlm.pack([vlm.ids(PROMPT)], [long]))
    second = vlm.states(vlm.pack([vlm.ids(OTHER)], [short]))
    assert torch.allclose(both[0, -1], first[0, -1], atol=1e-5)
    assert torch.allclose(both[1, -1], second[0, -1], atol=1e-5)


def test_generated_states_equal_teacher_forced_states():
    vlm = tiny_vlm(seed=4)
    image = noise_image(56, 56)
    visual = tokens_of(vlm, image, ImageView(None, 56))
    prompts = [vlm.ids(PROMPT), vlm.ids(OTHER)]
    made = vlm.generate(vlm.pack(prompts, [visual, visual[:4]]), max_new_tokens=6)
    for prompt, seen, tokens, states in zip(
        prompts, [visual, visual[:4]], made.tokens, made.states, strict=True
    ):
        assert len(states) == len(tokens) > 0
        packed = vlm.pack([prompt], [seen], [tokens])
        forced = vlm.states(packed)[0]
        start = forced.shape[0] - len(tokens) - 1
        assert torch.allclose(states, forced[start:-1], atol=2e-5)
        assert vlm.llava.lm_head(forced[start:-1]).argmax(-1).tolist() == tokens


def test_a_prompt_without_an_image_is_refused():
    vlm = tiny_vlm()
    with pytest.raises(ValueError, match="exactly one"):
        vlm.pack([vlm.ids("no picture")], [torch.zeros(4, 32)])
