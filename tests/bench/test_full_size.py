"""The paper profile at its real size on meta: the counts of model protocol 5, 6, 9 and 10."""

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
from geomag.magcrop.heatmap import ProbeInputs
from geomag.model.adapter import adapter_parameters
from geomag.model.footprint import footprint, kept_per_token, weights_of
from geomag.model.vision import visual_tokens
from geomag.train.joint import JointTraining

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
    encoder, classifier = text_side(model.profile)
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


@pytest.mark.parametrize(("side", "tflop"), [(84, 0.023), (168, 0.090), (336, 0.382)])
def test_the_vision_tower_costs_what_the_protocol_says(model, side, tflop):
    pixels, boxes = torch.empty(1, 3, side, side, device="meta"), torch.empty(1, 4, device="meta")
    found = count_flops(lambda: visual_tokens(model.vlm.llava.model, pixels, boxes)) / TFLOP
    assert found == pytest.approx(tflop, rel=0.03)


@pytest.mark.parametrize(("n_tokens", "tflop"), [(113, 1.47), (640, 8.50), (1152, 15.62)])
def test_a_prefill_costs_what_the_protocol_says(model, n_tokens, tflop):
    embeds = torch.empty(1, n_tokens, 4096, device="meta", dtype=torch.bfloat16)
    inputs = ProbeInputs(embeds, torch.zeros(1, n_tokens, dtype=torch.bool, device="meta"))

    @torch.no_grad()
    def run() -> None:
        states = model.vlm.language_model(
            inputs_embeds=embeds, attention_mask=causal_mask(inputs), use_cache=False
        ).last_hidden_state
        model.vlm.lm_head(states[:, -1])

    with model.vlm.base_weights():
        assert count_flops(run) / TFLOP == pytest.approx(tflop, abs=0.01)


def test_sam2_costs_what_the_protocol_says(model):
    pixels = torch.empty(1, 3, 1024, 1024, device="meta")
    assert count_flops(lambda: model.sam.encode(pixels)) / TFLOP == pytest.approx(1.82, abs=0.01)


def test_the_memory_estimate_is_within_a_tenth_of_the_protocols_table(model):
    llava = model.vlm.llava
    found = footprint(model, trained(model).values(), micro_batch=8, n_tokens=704)
    assert weights_of(llava.model.language_model) + weights_of(llava.lm_head) == pytest.approx(
        13.48 * GB, rel=0.01
    )
    assert weights_of(llava.model.vision_tower) == pytest.approx(0.61 * GB, rel=0.02)
    assert found.frozen == pytest.approx(14.6 * GB, rel=0.1)
    assert found.trained == pytest.approx(0.43 * GB, rel=0.1)


def test_the_activation_formula_equals_what_autograd_keeps(model, monkeypatch):
    def flash(query, key, value, attn_mask=None, **settings):
        scale = settings.get("scale")
        return torch.ops.aten._scaled_dot_product_flash_attention(
            query, key, value, 0.0, True, scale=scale
        )[0]

    monkeypatch.setattr(F, "scaled_dot_product_attention", flash)
    known = {p.untyped_storage()._cdata for p in (*model.parameters(), *model.buffers())}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            kept[storage._cdata] = tensor
        return tensor

    n_tokens = 704
    embeds = torch.empty(1, n_tokens, 4096, device="meta", dtype=torch.bfloat16)
    inputs = ProbeInputs(embeds, torch.zeros(1, n_tokens, dtype=torch.bool, device="meta"))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        states = model.vlm.language_model(
            inputs_embeds=embeds.requires_grad_(True),
            attention_mask=causal_mask(inputs),
            use_cache=False,
        ).last_hidden_state
    assert states.shape == (1, n_tokens, 4096)
    found = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    formula = n_tokens * kept_per_token(llama_config(model), element=2, rank=8)
    assert formula == pytest.approx(found, rel=0.02)


def llama_config(model):
    return model.vlm.llava.config.text_config
