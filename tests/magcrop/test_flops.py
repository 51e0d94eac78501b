"""What the probe computes, counted on the meta device: no weights needed.

See protocols/model#one-row.
"""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaModel

from geomag.bench.naive_probe import causal_mask, naive_gradients
from geomag.magcrop.heatmap import ProbeInputs, token_heat
from tests.magcrop.tiny import Source


def meta(layers: int, width: int, heads: int, n_tokens: int) -> tuple[Source, ProbeInputs]:
    config = LlamaConfig(
        hidden_size=width,
        intermediate_size=width * 43 // 16,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        vocab_size=32_064,
    )
    with torch.device("meta"):
        source = Source(LlamaModel(config).eval(), nn.Linear(width, 32_064, bias=False))
        embeds = torch.empty(1, n_tokens, width)
        columns = torch.zeros(1, n_tokens, dtype=torch.bool)
    source.language_model.requires_grad_(False)
    source.lm_head.requires_grad_(False)
    return source, ProbeInputs(embeds, columns)


def flops(run) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def ratios(source: Source, inputs: ProbeInputs, middle: int) -> dict[str, float]:
    @torch.no_grad()
    def prefill() -> None:
        states = source.language_model(
            inputs_embeds=inputs.embeds, attention_mask=causal_mask(inputs), use_cache=False
        ).last_hidden_state
        source.lm_head(states[:, -1])

    base = flops(prefill)
    return {
        "ours": flops(lambda: token_heat(source, inputs)) / base,
        "ours_middle": flops(lambda: token_heat(source, inputs, layer=middle)) / base,
        "naive_last": flops(lambda: naive_gradients(source, inputs, layer=-1)) / base,
        "naive_middle": flops(lambda: naive_gradients(source, inputs, layer=middle)) / base,
    }


def test_the_probe_costs_no_more_than_a_prefill():
    # 16 layers, the middle one where 14 of 32 stands
    found = ratios(*meta(layers=16, width=512, heads=8, n_tokens=640), middle=7)
    assert found["ours"] <= 1.0
    assert found["ours_middle"] <= 1.15
    assert found["naive_last"] > found["ours"] + 0.05
    assert found["naive_middle"] >= 1.5


@pytest.mark.integration
def test_at_the_size_of_llava_7b_the_protocols_figures_hold():
    source, inputs = meta(layers=32, width=4096, heads=32, n_tokens=640)
    found = ratios(source, inputs, middle=14)
    assert found["ours"] == pytest.approx(0.97, abs=0.01)
    # protocols/model#one-row has 1.06 and 1.61, with the head on every position; here on the last
    assert found["naive_last"] == pytest.approx(1.02, abs=0.01)
    assert found["naive_middle"] == pytest.approx(1.57, abs=0.02)
    assert found["ours_middle"] == pytest.approx(1.06, abs=0.01)
