"""Tiny models of the real classes for tests: seeded, two layers, width 32."""

import numpy as np
import torch

from geomag.config.schema import VlmConfig
from geomag.model.tiny import tiny_llava
from geomag.model.tokenizer import add_new_tokens, train_tokenizer
from geomag.model.vlm import Vlm

TEXTS = [
    "USER: <image>\nMark the red ship in this image with a mask. ASSISTANT: It is",
    "USER: <image>\nIs a small building present? ASSISTANT: yes no",
    "the large white storage tank on the left next to the bridge",
]


def tiny_vlm_config() -> VlmConfig:
    return VlmConfig(
        image_px=56,
        patch_px=14,
        vision_width=32,
        vision_layers=3,
        vision_heads=2,
        text_width=32,
        text_layers=3,
        text_heads=2,
    )


def tiny_vlm(n_seg: int = 3, seed: int = 0) -> Vlm:
    tokenizer = train_tokenizer(TEXTS, vocab_size=400)
    llava = tiny_llava(tiny_vlm_config(), tokenizer, seed=seed)
    add_new_tokens(tokenizer, n_seg=n_seg, rows=llava.get_input_embeddings().weight.shape[0])
    return Vlm(llava.eval(), tokenizer)


def noise_image(height: int, width: int, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
