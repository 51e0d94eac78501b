"""Tiny parts of the real classes for a composed VLM: two layers of Llama, three of EfficientNet."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from geomag.model.compose import join
from geomag.model.efficientnet import EfficientNetLiteConfig, EfficientNetLiteModel
from geomag.model.tokenizer import train_tokenizer
from geomag.model.vlm import Vlm
from tests.model.tiny import TEXTS

STAGES = ((1, 3, 1, 1, 32, 8), (2, 3, 2, 2, 8, 12), (1, 5, 2, 2, 12, 16))
"""Strides 2, 4, 8: a cell of the last map is 8 px."""


def tiny_tower(seed: int = 0) -> EfficientNetLiteModel:
    torch.manual_seed(seed)
    config = EfficientNetLiteConfig(stages=STAGES, hidden_size=24, image_size=32, patch_size=8)
    tower = EfficientNetLiteModel(config)
    for module in tower.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    for name, buffer in tower.named_buffers():  # as a trained one, none of them trivial
        if name.endswith("running_mean"):
            buffer.normal_(std=0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return tower.eval()


def tiny_language(seed: int = 0):
    tokenizer = train_tokenizer(TEXTS, vocab_size=400)
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=len(tokenizer),
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.5,  # words far enough apart to be told
    )
    torch.manual_seed(seed)
    return LlamaForCausalLM(config).eval(), tokenizer


def tiny_composed(seed: int = 0) -> Vlm:
    language, tokenizer = tiny_language(seed)
    return join(language, tokenizer, tiny_tower(seed), seed=seed)
