"""The whole model: what each granularity sees, when masks are drawn, where they are pasted."""

import numpy as np
import pytest
import torch

from geomag.data.benchmarks import Granularity
from geomag.data.prompts import with_seg_groups
from geomag.geometry import PixelBox
from geomag.magcrop.granularity import is_gcg
from geomag.model.model_input import magcrop_input, plain_input
from geomag.model.query import Query
from tests.model.whole import tiny_geomag, tiny_profile

IMAGE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
BOX = PixelBox(20, 10, 80, 70)
INNER = PixelBox(30, 20, 60, 50)


def test_the_image_level_is_a_100_by_100_picture_and_the_plain_arm_the_whole_one():
    model_input = magcrop_input(IMAGE, Granularity.IMAGE, (), tiny_profile())
    assert model_input.image.shape == (100, 100, 3)
    plain = plain_input(IMAGE, tiny_profile())
    assert plain.image is IMAGE
    assert plain.n_tokens(14) == 16


def test_region_keeps_the_window_sharp_and_blurs_the_rest():
    model_input = magcrop_input(IMAGE, Granularity.REGION, (BOX,), tiny_profile())
    assert model_input.image.shape == IMAGE.shape
    assert np.array_equal(model_input.image[10:70, 20:80], IMAGE[10:70, 20:80])
    assert model_input.image[:, 90:].std() < 0.5 * IMAGE[:, 90:].std()


def test_f24_a_gcg_query_bypasses_magcrop_and_a_doubtful_map_leaves_the_image_whole():
    assert is_gcg("Describe this image in detail with interleaved masks for the phrases.")
    assert magcrop_input(IMAGE, None, (BOX,), tiny_profile()).image is IMAGE
    assert magcrop_input(IMAGE, Granularity.PIXEL, (), tiny_profile()).image is IMAGE


def test_tokens_view_costs_no_more_than_the_plain_one_and_shows_the_crop():
    profile = tiny_profile(magcrop={"view": "tokens"}, encoder={"input": "crop", "image_px": 64})
    model_input = magcrop_input(IMAGE, Granularity.PIXEL, (BOX, INNER), profile)
    assert model_input.image is IMAGE
    assert model_input.views[0].box is None
    assert len(model_input.views) > 1
    assert model_input.n_tokens(14) <= 16
    assert np.array_equal(model_input.encoder_image, IMAGE[10:70, 20:80])


def emit(model, tokens):
    """Make the VLM say ``tokens``: its head is asked at each step, and answers from the list."""
    vlm = model.vlm
    end = vlm.tokenizer.eos_token_id
    queue = [*tokens, end]

    def say(hidden):
        logits = torch.zeros(*hidden.shape[:-1], vlm.llava.get_input_embeddings().weight.shape[0])
        logits[..., queue.pop(0) if queue else end] = 1.0
        return logits

    vlm.llava.lm_head.forward = say


@pytest.mark.parametrize("n_groups", [0, 1, 2])
def test_emitted_groups_decide_how_many_masks_are_drawn(n_groups):
    model = tiny_geomag().eval()
    emit(model, model.seg_ids * n_groups + model.seg_ids[:1])
    query = Query(plain_input(IMAGE, model.profile), "Mark the red ship.", 90, 120)
    (answer,) = model.answer([query], max_new_tokens=12)
    assert len(answer.masks) == n_groups == answer.text.count("[SEG]")
    assert answer.n_incomplete == 1
    assert all(mask.shape == (90, 120) for mask in answer.masks)


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("<p> a dam </p> and <p> two ships </p> [SEG]", ("two ships",)),
        ("See [SEG] and <p> two ships </p> [SEG].", ("", "two ships")),
    ],
)
def test_each_mask_has_the_phrase_right_before_it(text, phrases):
    model = tiny_geomag().eval()
    emit(model, model.vlm.ids(with_seg_groups(text, 3)))
    query = Query(plain_input(IMAGE, model.profile), "Describe it.", 90, 120)
    (answer,) = model.answer([query], max_new_tokens=64)
    assert len(answer.masks) == len(answer.phrases)
    assert answer.phrases == phrases


def test_a_mask_of_a_crop_is_background_outside_it():
    profile = {
        "magcrop": {"view": "tokens"},
        "encoder": {"input": "crop", "image_px": 64, "neck_width": 32},
    }
    model = tiny_geomag(**profile).eval()
    model_input = magcrop_input(IMAGE, Granularity.REGION, (BOX,), model.profile)
    logits = torch.full((16, 16), 5.0)
    mask, chance = model._paste(Query(model_input, "", 90, 120), logits)
    wanted = np.zeros((90, 120), dtype=bool)
    wanted[10:70, 20:80] = True
    assert np.array_equal(mask, wanted)
    assert np.array_equal(chance > 127, wanted)


def test_batched_answers_equal_single_ones():
    model = tiny_geomag(seed=3).eval()
    model_inputs = [
        plain_input(IMAGE, model.profile),
        magcrop_input(IMAGE, Granularity.REGION, (BOX,), model.profile),
    ]
    queries = [
        Query(model_input, text, 90, 120)
        for model_input, text in zip(
            model_inputs,
            ["Is a ship present?", "Mark the large storage tank on the left."],
            strict=True,
        )
    ]
    together = model.answer(queries, max_new_tokens=5)
    alone = [model.answer([q], max_new_tokens=5)[0] for q in queries]
    assert [a.text for a in together] == [a.text for a in alone]


@pytest.mark.parametrize("say_masks", [False, True])
def test_queries_that_share_a_look_share_its_encoders_and_answer_alike(say_masks):
    model = tiny_geomag(seed=3).eval()
    prompts = ["Is a ship present?", "Mark the large storage tank on the left.", "How many?"]
    counts = {"vision": 0, "sam": 0}
    if say_masks:
        emit_always(model)
    count_rows(model.vlm.llava.model.vision_tower.embeddings.patch_embedding, counts, "vision")
    count_rows(model.sam.image_encoder, counts, "sam")

    def answers(*model_inputs):
        counts.update(vision=0, sam=0)
        queries = [
            Query(model_input, text, 90, 120)
            for model_input, text in zip(model_inputs, prompts, strict=True)
        ]
        return model.answer(queries, max_new_tokens=4), dict(counts)

    model_input = plain_input(IMAGE, model.profile)
    shared, once = answers(model_input, model_input, model_input)
    apart, thrice = answers(*(plain_input(IMAGE, model.profile) for _ in prompts))
    assert once == {"vision": 1, "sam": int(say_masks)}
    assert thrice == {"vision": 3, "sam": 3 * say_masks}
    assert [a.text for a in shared] == [a.text for a in apart]
    for one, other in zip(shared, apart, strict=True):
        assert len(one.masks) == say_masks
        assert one.mask_scores == pytest.approx(other.mask_scores, abs=1e-5)


def count_rows(module, counts, name):
    real = module.forward

    def forward(pixels):
        counts[name] += len(pixels)
        return real(pixels)

    module.forward = forward


def emit_always(model):
    """Every row says one [SEG] group and ends."""
    table = model.vlm.llava.get_input_embeddings().weight.shape[0]
    words, at = [*model.seg_ids, model.vlm.tokenizer.eos_token_id], iter(range(1000))

    def say(hidden):
        logits = torch.zeros(*hidden.shape[:-1], table)
        logits[..., words[next(at) % len(words)]] = 1.0
        return logits

    model.vlm.llava.lm_head.forward = say
