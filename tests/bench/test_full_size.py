"""The paper profile at its real size on meta: the counts of protocols/model."""

from contextlib import contextmanager

import pytest
import torch
import torch.nn.functional as F

from geomag.bench.full_size import (
    LLAVA_ROWS,
    count_flops,
    full_size,
    n_parameters,
    stand_in_tokenizer,
    text_side,
)
from geomag.bench.naive_probe import causal_mask
from geomag.config import load_profile
from geomag.magcrop.heatmap import ProbeInputs, token_heat
from geomag.model.adapter import adapter_parameters
from geomag.model.footprint import footprint, kept_per_layer, kept_per_mask, weights_of
from geomag.model.vision import visual_tokens
from geomag.train.joint import JointTraining
from geomag.train.losses import bce_loss, dice_loss

pytestmark = pytest.mark.integration
TFLOP, GB = 1e12, 1e9


@pytest.fixture(scope="module")
def model():
    return full_size(load_profile("paper"))


def trained(model):
    job = JointTraining.__new__(JointTraining)  # a job without records: only its parameters count
    job._model = model
    return job.parameters()


def test_frozen_parts_have_the_published_sizes(model):
    llava = model.vlm.llava.model
    encoder, classifier = text_side(load_profile("paper"))
    # language model without head: 6,738,415,616 of LLaMA-7B, less its head, plus 64 rows
    body = sum(
        p.numel()
        for n, p in llava.language_model.named_parameters()
        if "lora" not in n and "trainable_tokens" not in n
    )
    assert body == 6_738_415_616 - 32_000 * 4096 + 64 * 4096
    assert n_parameters(llava.vision_tower) == 303_507_456
    assert n_parameters(model.sam.image_encoder) == 212_703_280
    assert n_parameters(encoder) == 109_482_240
    assert n_parameters(classifier) == 230_147


def test_what_trains_adds_up_to_the_protocols_26_63_million(model):
    adapter = adapter_parameters(model.vlm)
    lora = sum(p.numel() for n, p in adapter.items() if "lora" in n)
    rows = sum(p.numel() for n, p in adapter.items() if "lora" not in n)
    decoder = n_parameters(model.sam.sam_mask_decoder)
    hyper = n_parameters(model.decoder.hyper_1) + n_parameters(model.decoder.hyper_2)
    scalars = model.decoder.beta.numel() + model.decoder.omega.numel()
    parts = [lora, n_parameters(model.projection), decoder, hyper, rows, scalars]
    assert parts == [4_194_304, 17_830_144, 4_215_109, 345_408, 40_960, 6]
    assert sum(parts) == 26_625_931
    # what no gradient reaches is left out: score heads, the encoder's convolutions, spare masks
    idle = 264_453 + 24_672 + 3 * (2 * (256 * 256 + 256) + 256 * 32 + 32)
    assert sum(p.numel() for p in trained(model).values()) == 26_625_931 - idle


def test_lora_is_in_every_language_layer_and_nowhere_else(model):
    owners = {n.rpartition(".lora_")[0] for n in adapter_parameters(model.vlm) if ".lora_" in n}
    prefix = "base_model.model.model.language_model.layers"
    assert owners == {
        f"{prefix}.{layer}.self_attn.{name}" for layer in range(32) for name in ("q_proj", "v_proj")
    }


def test_new_tokens_fill_spare_rows_of_unchanged_tables(model):
    assert len(stand_in_tokenizer()) == 32_002
    vlm = model.vlm
    names = ["[SEG0]", "[SEG1]", "[SEG2]", "<p>", "</p>"]
    assert vlm.tokenizer.convert_tokens_to_ids(names) == list(range(32_002, 32_007))
    assert vlm.image_id == 32_000
    for table in (vlm.llava.get_input_embeddings(), vlm.lm_head):
        assert table.weight.shape == (LLAVA_ROWS, 4096)


@pytest.mark.parametrize(
    ("side", "tflop"),
    [(84, 0.023), (112, 0.040), (168, 0.090), (196, 0.123), (224, 0.162), (336, 0.382)],
)
def test_the_vision_tower_costs_what_the_protocol_says(model, side, tflop):
    pixels, boxes = torch.empty(1, 3, side, side, device="meta"), torch.empty(1, 4, device="meta")
    found = count_flops(lambda: visual_tokens(model.vlm.llava.model, pixels, boxes)) / TFLOP
    assert found == pytest.approx(tflop, rel=0.03)


PREFILL = {113: 1.47, 208: 2.72, 384: 5.05, 420: 5.53, 640: 8.50, 1044: 14.1, 1152: 15.62}
PREFILL |= {2944: 42.7}
"""TFLOP of one prefill by tokens, 64 of them text."""
ROUGH = {1044: 0.06, 2944: 0.06}
"""Given to one decimal."""


def inputs_of(n_tokens):
    embeds = torch.empty(1, n_tokens, 4096, device="meta", dtype=torch.bfloat16)
    return ProbeInputs(embeds, torch.zeros(1, n_tokens, dtype=torch.bool, device="meta"))


@pytest.mark.parametrize(("n_tokens", "tflop"), PREFILL.items())
def test_a_prefill_costs_what_the_protocol_says(model, n_tokens, tflop):
    inputs = inputs_of(n_tokens)

    @torch.no_grad()
    def run() -> None:
        states = model.vlm.language_model(
            inputs_embeds=inputs.embeds, attention_mask=causal_mask(inputs), use_cache=False
        ).last_hidden_state
        model.vlm.lm_head(states[:, -1])

    with model.vlm.base_weights():
        assert count_flops(run) / TFLOP == pytest.approx(tflop, abs=ROUGH.get(n_tokens, 0.01))


def test_an_answer_costs_what_the_protocols_table_says(model):
    with model.vlm.base_weights():
        probe, small_probe = (
            count_flops(lambda n=n: token_heat(model.vlm, inputs_of(n))) / TFLOP for n in (640, 208)
        )
    assert probe == pytest.approx(8.28, abs=0.02)
    see = {84: 0.023, 98: 0.031, 112: 0.040, 168: 0.090, 224: 0.162, 336: 0.382}
    project = 0.0242 / 576  # a token
    whole = see[336] + 576 * project + PREFILL[640]
    paper = [whole + n * (see[336] + 576 * project + probe) for n in (0, 1, 2)]
    assert paper == pytest.approx([8.9, 17.6, 26.3], abs=0.05)
    naive = [whole + n * (see[336] + 576 * project + 26.02) for n in (1, 2)]
    assert naive == pytest.approx([35.3, 61.8], abs=0.1)
    model_input = see[168] + 144 * project + small_probe
    ours = [
        see[98] + 49 * project + PREFILL[113],
        model_input + see[112] + see[224] + 320 * project + PREFILL[384],
        2 * model_input + see[112] + see[84] + see[224] + 356 * project + PREFILL[420],
    ]
    assert ours == pytest.approx([1.5, 8.0, 11.3], abs=0.05)
    assert 5 * (see[336] + 576 * project) + PREFILL[2944] == pytest.approx(44.7, abs=0.1)


def test_sam2_costs_what_the_protocol_says(model):
    pixels = torch.empty(1, 3, 1024, 1024, device="meta")
    assert count_flops(lambda: model.sam.encode(pixels)) / TFLOP == pytest.approx(1.82, abs=0.01)


def test_what_a_cache_on_disk_would_hold(model):
    pixels = torch.empty(1, 3, 1024, 1024, device="meta")
    maps, levels = model.sam.encode(pixels), model.sam.raw_pyramid(pixels)
    assert [tuple(one.shape) for one in maps] == [
        (1, 32, 256, 256),
        (1, 64, 128, 128),
        (1, 256, 64, 64),
    ]
    n_bytes = 2 * sum(one.numel() for one in maps)  # bf16
    assert n_bytes / 1e6 == pytest.approx(8.39, abs=0.005)
    assert 17_402 * n_bytes / GB == pytest.approx(146, abs=0.1)
    assert 2 * sum(one.numel() for one in levels) / 1e6 == pytest.approx(44, abs=0.1)
    tower = model.vlm.llava.model.vision_tower.config
    tokens = (tower.image_size // tower.patch_size) ** 2
    assert (tokens, 2 * tokens * tower.hidden_size / 1e6) == (576, pytest.approx(1.18, abs=0.005))
    assert 4 * tokens / 1e3 == pytest.approx(2.3, abs=0.01)  # one map, float32


def test_the_memory_estimate_is_within_a_tenth_of_the_protocols_table(model):
    llava = model.vlm.llava
    found = footprint(model, trained(model).values(), micro_batch=8, n_tokens=704)
    assert weights_of(llava.model.language_model) + weights_of(llava.lm_head) == pytest.approx(
        13.48 * GB, rel=0.01
    )
    assert weights_of(llava.model.vision_tower) == pytest.approx(0.61 * GB, rel=0.02)
    assert found.frozen == pytest.approx(14.6 * GB, rel=0.1)
    assert found.trained == pytest.approx(0.43 * GB, rel=0.1)


@contextmanager
def autograd_keeps(model):
    """Tensors that a forward pass inside keeps for its backward pass, weights left out."""
    known = {p.untyped_storage()._cdata for p in (*model.parameters(), *model.buffers())}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            kept[storage._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield kept


@pytest.mark.parametrize("is_training", [False, True])
def test_the_activation_formula_equals_what_autograd_keeps(model, monkeypatch, is_training):
    def flash(query, key, value, attn_mask=None, **settings):
        scale = settings.get("scale")
        return torch.ops.aten._scaled_dot_product_flash_attention(
            query, key, value, 0.0, True, scale=scale
        )[0]

    def fused(values, p, is_on, inplace=False):
        return torch.native_dropout(values, p, is_on)[0] if is_on else values

    monkeypatch.setattr(F, "scaled_dot_product_attention", flash)  # as on a GPU, both
    monkeypatch.setattr(F, "dropout", fused)
    n_tokens = 704
    embeds = torch.empty(1, n_tokens, 4096, device="meta", dtype=torch.bfloat16)
    inputs = ProbeInputs(embeds, torch.zeros(1, n_tokens, dtype=torch.bool, device="meta"))
    model.train(is_training)
    with autograd_keeps(model) as kept:
        states = model.vlm.language_model(
            inputs_embeds=embeds.requires_grad_(True),
            attention_mask=causal_mask(inputs),
            use_cache=False,
        ).last_hidden_state
    model.eval()
    assert states.shape == (1, n_tokens, 4096)
    found = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    settings = {"element": 2, "rank": 8, "dropout": is_training}
    formula = n_tokens * 32 * kept_per_layer(llama_config(model), **settings)
    assert formula == pytest.approx(found, rel=0.02)


MEASURED_GB = {
    (4, False): 31.00, (8, False): 45.15, (16, False): 73.06,
    (4, True): 17.81, (8, True): 18.99, (16, True): 21.34, (32, True): 25.93,
}  # fmt: skip
"""Peak of training on an H100 by micro-batch and checkpointing (docs/performance.md)."""


@pytest.mark.parametrize(("case", "measured"), MEASURED_GB.items())
def test_the_memory_estimate_is_within_a_twentieth_of_what_an_h100_used(model, case, measured):
    micro, is_on = case
    found = footprint(
        model, trained(model).values(), micro_batch=micro, n_tokens=640, checkpointing=is_on
    )
    assert found.total == pytest.approx(measured * GB, rel=0.05)


def test_the_bytes_of_a_mask_are_what_autograd_keeps_of_it(model):
    def kept(count):
        shapes = ((32, 256), (64, 128), (256, 64))
        levels = [torch.empty(count, c, side, side, device="meta") for c, side in shapes]
        h_seg = torch.empty(count, 3, 4096, device="meta", requires_grad=True)
        truth = torch.empty(count, 512, 512, device="meta")
        trained(model)
        with autograd_keeps(model) as tensors:
            prompts = model.decoder.fuse(model.projection(h_seg))
            logits = model.decoder.from_prompt(prompts, levels)
            logits = F.interpolate(logits[:, None], (512, 512), mode="bilinear")[:, 0]
            total = bce_loss(logits, truth) + dice_loss(logits, truth)
        assert total.shape == ()
        return sum(tensor.untyped_storage().nbytes() for tensor in tensors.values())

    assert kept_per_mask(model) == pytest.approx(kept(2) - kept(1), rel=0.02)


def llama_config(model):
    return model.vlm.llava.config.text_config
