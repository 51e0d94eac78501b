"""What the folders of published checkpoints hold, by their names on the hub.

Sizes are those of each checkpoint's own ``config.json``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from transformers import LlavaConfig, Qwen2Config, SiglipVisionConfig

from geomag.bench.full_size import LLAVA_WORDS, llava_7b
from geomag.model.sam2_parts import Sam2Size, sample_size
from geomag.model.sam2_sizes import PUBLISHED
from geomag.model.vision import MEAN as CLIP_MEAN
from geomag.model.vision import STD as CLIP_STD

QWEN_WORDS = 151_643
QWEN_ROWS = 152_000
HALF = (0.5, 0.5, 0.5)
Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class VlmFolder:
    """A LLaVA checkpoint of the hub."""

    config: LlavaConfig
    words: int
    """Entries of the tokenizer before its special tokens."""
    tokenizer: Literal["llama", "qwen"]
    mean: Triple
    """Mean of the pixels that the vision tower takes, by channel; ``std`` is their deviation."""
    std: Triple


def llava_interleave_half() -> LlavaConfig:
    """Sizes of llava-hf/llava-interleave-qwen-0.5b-hf."""
    vision = SiglipVisionConfig(
        hidden_size=1152,
        intermediate_size=4304,
        num_hidden_layers=26,
        num_attention_heads=16,
        image_size=384,
        patch_size=14,
        vision_use_head=False,
    )
    text = Qwen2Config(
        hidden_size=1024,
        intermediate_size=2816,
        num_hidden_layers=24,
        num_attention_heads=16,
        num_key_value_heads=16,
        vocab_size=QWEN_ROWS,
        max_position_embeddings=32_768,
        bos_token_id=QWEN_WORDS,
        eos_token_id=QWEN_WORDS + 2,
        tie_word_embeddings=True,
    )
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=QWEN_WORDS + 3,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=True,
    )


VLMS: dict[str, Callable[[], VlmFolder]] = {
    "llava-1.5-7b-hf": lambda: VlmFolder(
        config=llava_7b(), words=LLAVA_WORDS, tokenizer="llama", mean=CLIP_MEAN, std=CLIP_STD
    ),
    "llava-interleave-qwen-0.5b-hf": lambda: VlmFolder(
        config=llava_interleave_half(), words=QWEN_WORDS, tokenizer="qwen", mean=HALF, std=HALF
    ),
}
"""Layouts by the last name of ``vlm.path``."""
SAM2S = {f"sam2.1_hiera_{name}": size for name, size in PUBLISHED.items()}
"""Sizes by the last name of ``encoder.path``."""
BERTS = ("bert-base-uncased",)
"""Text encoders that are written; one inside a package lies there already."""


def with_layers(folder: VlmFolder, layers: int) -> VlmFolder:
    """The same with another number of decoder layers; 0 leaves the published one."""
    if layers:
        _set_layers(folder.config.text_config, layers)
    return folder


def _set_layers(text: Any, layers: int) -> None:
    """The number of decoder layers, and the kind of each where the configuration lists them."""
    text.num_hidden_layers = layers
    if getattr(text, "layer_types", None):
        text.layer_types = text.layer_types[:layers]


def tiny(folder: VlmFolder) -> VlmFolder:
    """The same classes at widths that a test takes in seconds; 56 px seen in 16 tokens."""
    text, vision = folder.config.text_config, folder.config.vision_config
    text.hidden_size, text.intermediate_size = 64, 96
    _set_layers(text, 2)
    text.num_attention_heads = text.num_key_value_heads = 4
    if hasattr(text, "head_dim"):
        text.head_dim = 16
    vision.hidden_size, vision.intermediate_size, vision.num_hidden_layers = 32, 64, 3
    vision.num_attention_heads, vision.image_size = 2, 56
    words = 2_000
    shift = folder.words - words
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        if (getattr(text, name, None) or 0) >= words:
            setattr(text, name, getattr(text, name) - shift)
    text.vocab_size = words + 64
    folder.config.image_token_index -= shift
    folder.config.image_seq_length = 16
    return VlmFolder(
        config=folder.config,
        words=words,
        tokenizer=folder.tokenizer,
        mean=folder.mean,
        std=folder.std,
    )


def tiny_sam2() -> Sam2Size:
    """SAM2's classes at 64 px."""
    return sample_size(image_px=64, embed_dim=16, neck_width=32)
