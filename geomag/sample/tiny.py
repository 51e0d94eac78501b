"""The sample profile's LLaVA: the same classes as LLaVA-1.5-7B, a few million parameters."""

import math

import torch
from torch import Tensor, nn
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerBase,
)

from geomag.config.schema import VlmConfig
from geomag.model.tokenizer import SPARE_ROWS

PLACE_SCALE = 0.3
COPIED = 0.5
"""Share of an attended token that attention adds to the row at the start."""


def tiny_llava(
    config: VlmConfig, tokenizer: PreTrainedTokenizerBase, *, seed: int
) -> LlavaForConditionalGeneration:
    """A randomly initialised LLaVA of the configured size, with spare embedding rows."""
    rows = -(-(len(tokenizer) + SPARE_ROWS) // 64) * 64
    vision = CLIPVisionConfig(
        hidden_size=config.vision_width,
        intermediate_size=2 * config.vision_width,
        num_hidden_layers=config.vision_layers,
        num_attention_heads=config.vision_heads,
        image_size=config.image_px,
        patch_size=config.patch_px,
    )
    text = LlamaConfig(
        hidden_size=config.text_width,
        intermediate_size=2 * config.text_width,
        num_hidden_layers=config.text_layers,
        num_attention_heads=config.text_heads,
        num_key_value_heads=config.text_heads,
        vocab_size=rows,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        max_position_embeddings=1024,
        # slow phases: a word and a patch far apart still compare by content
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        initializer_range=config.text_width**-0.5,  # 0.02 is for widths of thousands
    )
    llava = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(config.image_px // config.patch_px) ** 2,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(llava)
        with torch.no_grad():
            for layer in model.model.language_model.layers:
                _start_copying(layer.self_attn)
    embeddings = model.model.vision_tower.embeddings
    with torch.no_grad():
        embeddings.position_embedding.weight[1:] = place_code(
            config.image_px // config.patch_px, config.vision_width
        )
    return model


def _start_copying(attention: nn.Module) -> None:
    """Queries start out looking for keys like themselves, and hand on what stands there.

    What a word or a patch says then reaches the row that looks at it from the first update
    (after Trockman and Kolter, Mimetic Initialization, 2023).
    """
    attention.k_proj.weight.copy_(attention.q_proj.weight)
    nn.init.orthogonal_(attention.v_proj.weight)
    attention.o_proj.weight.copy_(COPIED * attention.v_proj.weight.T)


def place_code(grid: int, width: int) -> Tensor:
    """Sines and cosines of row and column, ``[grid * grid, width]``, as a start for positions.

    Stock tables start near zero and learn places from hundreds of millions of images; a tiny model
    that sees a few thousand would not know where its patches are.
    """
    centres = (torch.arange(grid) + 0.5) / grid
    octaves = math.pi / 2 * 2.0 ** (torch.arange(width // 4) % 4)
    waves = centres[:, None] * octaves  # [grid, width / 4]
    one = torch.cat([waves.sin(), waves.cos()], dim=1)
    rows = one[:, None].expand(-1, grid, -1)
    columns = one[None].expand(grid, -1, -1)
    return torch.cat([columns, rows], dim=2).reshape(grid * grid, width) * PLACE_SCALE
