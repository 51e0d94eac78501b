"""Tiny models of the real classes for tests: seeded, two layers, width 32."""

import json

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaTokenizer

from geomag.config.schema import VlmConfig
from geomag.data.prompts import IMAGE_TOKEN
from geomag.model.tokenizer import add_new_tokens, train_tokenizer
from geomag.model.vlm import Vlm
from geomag.sample.tiny import tiny_llava

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


def llama_tokenizer() -> LlamaTokenizer:
    """The published checkpoints' class at a tiny vocabulary: it begins a sequence with ``<s>``."""
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    core = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    core.train_from_iterator([text.replace("USER:", "▁USER :") for text in TEXTS], trainer)
    tree = json.loads(core.to_str())["model"]
    return LlamaTokenizer(
        vocab=tree["vocab"],
        merges=[tuple(pair) for pair in tree["merges"]],
        add_bos_token=True,
        pad_token="<unk>",
        extra_special_tokens={"image_token": IMAGE_TOKEN},
    )


def llama_vlm(n_seg: int = 3) -> Vlm:
    """`tiny_vlm` with the tokenizer class of the published LLaVA."""
    tokenizer = llama_tokenizer()
    llava = tiny_llava(tiny_vlm_config(), tokenizer, seed=0)
    add_new_tokens(tokenizer, n_seg=n_seg, rows=llava.get_input_embeddings().weight.shape[0])
    return Vlm(llava.eval(), tokenizer)
