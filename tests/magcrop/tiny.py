"""A seeded LLaVA of the real class with 16 image tokens, and prompts for it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from geomag.magcrop.heatmap import ProbeInputs

IMAGE, PAD, VOCABULARY = 4, 3, 300


@dataclass(frozen=True)
class Source:
    """The two parts that the probe asks for."""

    language_model: nn.Module
    lm_head: nn.Module

    @classmethod
    def of(cls, model: LlavaForConditionalGeneration) -> "Source":
        return cls(model.model.language_model, model.lm_head)


def tiny_llava(*, kv_heads: int = 4, seed: int = 0) -> LlavaForConditionalGeneration:
    torch.manual_seed(seed)
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=56,
        patch_size=14,
    )
    text = LlamaConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        vocab_size=VOCABULARY,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=IMAGE,
        image_seq_length=16,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )
    model = LlavaForConditionalGeneration(config).eval()
    # the initialiser's 0.02 leaves attention flat; spread it, so that a wrong row would show
    with torch.no_grad():
        for block in model.model.language_model.layers:
            for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
                getattr(block.self_attn, name).weight.mul_(8)
    return model


def prompt_inputs(
    model: LlavaForConditionalGeneration, *, n_text: int = 9, n_image: int = 16, seed: int = 0
) -> ProbeInputs:
    """One prompt: two text tokens, the image tokens, the rest of the text."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, VOCABULARY, (1, n_text), generator=generator)
    ids = torch.cat([ids[:, :2], torch.full((1, n_image), IMAGE), ids[:, 2:]], dim=1)
    with torch.no_grad():
        embeds = model.get_input_embeddings()(ids)
    features = torch.randn(n_image, embeds.shape[-1], generator=generator)
    columns = ids == IMAGE
    return ProbeInputs(embeds.masked_scatter(columns[..., None], features), columns)


def left_padded(items: list[ProbeInputs], filler: float = 0.7) -> ProbeInputs:
    """One batch out of prompts of different lengths; padding holds ``filler``, not zeros."""
    longest = max(item.embeds.shape[1] for item in items)

    def pad(values: Tensor, value: float) -> Tensor:
        shape = (1, longest - values.shape[1], *values.shape[2:])
        return torch.cat([torch.full(shape, value, dtype=values.dtype), values], dim=1)

    return ProbeInputs(
        torch.cat([pad(item.embeds, filler) for item in items]),
        torch.cat([pad(item.image_columns, False) for item in items]),
        torch.cat([pad(torch.ones(item.embeds.shape[:2]), 0) for item in items]),
    )
