"""Checkpoints of random weights in the file formats in which the real ones are published."""

import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForPreTraining,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerBase,
)

from geomag.bench.full_size import on_meta
from geomag.config.schema import Profile
from geomag.io import write_json
from geomag.manifest import SCHEME, publish
from geomag.model.sam2_parts import Sam2Parts, Sam2Size
from geomag.model.tokenizer import add_new_tokens, load_tokenizer, prompt_ids
from geomag.rehearse.chain import Chain, init, sentence, write_rows
from geomag.rehearse.published import VlmFolder
from geomag.rehearse.shards import write_shards
from geomag.rehearse.words import INTERLEAVE_TEMPLATE, bert_tokenizer, vlm_tokenizer

OLD_NAMES = (
    ("lm_head.", "language_model.lm_head."),
    ("model.language_model.", "language_model.model."),
    ("model.vision_tower.", "vision_tower.vision_model."),
    ("model.multi_modal_projector.", "multi_modal_projector."),
)
"""Beginnings of tensors' names in this version of transformers, and in published checkpoints."""
ANSWER = " a large red ship"
"""What every answer says; its last word is the phrase that the mask belongs to."""


def write_vlm(out: Path, folder: VlmFolder, profile: Profile) -> None:
    """Write a LLaVA checkpoint, shard by shard in bfloat16, with tokenizer and processor.

    Args:
        out: Its folder.
        folder: Sizes.
        profile: Says how many [SEG] tokens a group has.
    """
    tokenizer = vlm_tokenizer(folder)
    with publish(out) as place:
        _save_tokenizer(place, folder, tokenizer)
        tokenizer = load_tokenizer(place)  # as a stage reads it, in its own frame
        config = copy.deepcopy(folder.config)
        config.architectures = ["LlavaForConditionalGeneration"]
        config.dtype = torch.bfloat16
        config.save_pretrained(place)
        text = config.text_config
        chain = Chain(_sentence(tokenizer, profile, text.vocab_size), text.hidden_size)
        layers = text.num_hidden_layers

        def fill(name: str, tensor: Tensor) -> None:
            init(name, tensor, n_layers=layers)
            write_rows(name, tensor, chain)

        write_shards(place, published_shapes(folder), fill)


def published_shapes(folder: VlmFolder) -> dict[str, tuple[int, ...]]:
    """Shapes of a checkpoint's tensors by their published names, in order."""
    with on_meta():
        llava = LlavaForConditionalGeneration(folder.config)
    tied = {"lm_head.weight"} if folder.config.text_config.tie_word_embeddings else set()
    return {
        old_name(name): tuple(tensor.shape)
        for name, tensor in llava.state_dict().items()
        if name not in tied
    }


def old_name(name: str) -> str:
    """A tensor's name as checkpoints of the hub have it.

    >>> old_name("model.language_model.layers.0.mlp.up_proj.weight")
    'language_model.model.layers.0.mlp.up_proj.weight'
    """
    for now, before in OLD_NAMES:
        if name.startswith(now):
            return before + name.removeprefix(now)
    return name


def write_bert(out: Path, *, is_tiny: bool = False) -> None:
    """Write BERT-base with its heads, norms under TensorFlow's names as it is published."""
    tokenizer = bert_tokenizer()
    sizes: dict[str, Any] = (
        {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
        | {"intermediate_size": 64}
        if is_tiny
        else {}
    )
    config = BertConfig(vocab_size=len(tokenizer), **sizes)
    with on_meta():
        shapes = dict(BertForPreTraining(config).state_dict())
    del shapes["cls.predictions.decoder.weight"], shapes["cls.predictions.decoder.bias"]
    shapes.pop("bert.embeddings.position_ids", None)
    with publish(out) as place:
        tokenizer.save_pretrained(place)
        config.architectures = ["BertForMaskedLM"]
        config.save_pretrained(place)
        write_shards(
            place,
            {_tensorflow_name(name): tuple(tensor.shape) for name, tensor in shapes.items()},
            lambda name, tensor: init(name.replace("gamma", "weight"), tensor, n_layers=1),
            dtype=torch.float32,
        )


def _tensorflow_name(name: str) -> str:
    norm = "LayerNorm."
    return name.replace(f"{norm}weight", f"{norm}gamma").replace(f"{norm}bias", f"{norm}beta")


def write_sam2(out: Path, size: Sam2Size, name: str) -> None:
    """Write ``NAME.pt`` as SAM2.1 is published: one entry ``model``, memory modules included.

    A size that is none of the published gets our own ``config.json`` beside it.
    """
    torch.manual_seed(0)
    is_published = size.image_px == 1024
    model: nn.Module = _whole_sam2(name) if is_published else Sam2Parts(size)
    with publish(out) as place:
        torch.save({"model": model.state_dict()}, place / f"{name}.pt")
        if not is_published:
            write_json(place / "config.json", asdict(size))


def _whole_sam2(name: str) -> nn.Module:
    """SAM2.1 with its video parts, by the configuration that the package ``sam2`` carries."""
    from sam2.build_sam import build_sam2

    letter = name.removeprefix("sam2.1_hiera_")
    short = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}[letter]
    model: nn.Module = build_sam2(
        f"configs/sam2.1/sam2.1_hiera_{short}.yaml", ckpt_path=None, device="cpu"
    )
    return model


def is_written(path: str) -> bool:
    """Whether a profile's path names a folder of ours, and no part of an installed package."""
    return bool(path) and not path.startswith(SCHEME)


def _sentence(tokenizer: PreTrainedTokenizerBase, profile: Profile, rows: int) -> tuple[int, ...]:
    """Ids of the prompt's last token and of the answer, as the model's own tokenizer has them."""
    own = copy.deepcopy(tokenizer)
    last = prompt_ids(own, "Mark it.")[-1]
    words = list(dict.fromkeys(own.encode(ANSWER, add_special_tokens=False)))
    new = add_new_tokens(own, n_seg=profile.adapter.n_seg, rows=rows)
    end = own.eos_token_id
    assert isinstance(end, int)
    kept = [one for one in words if one not in (last, end)]
    return sentence(kept[-4:], last=last, new=new, end=end)


def _save_tokenizer(place: Path, folder: VlmFolder, tokenizer: PreTrainedTokenizerBase) -> None:
    """Tokenizer, chat template and what the processor does with pixels."""
    tokenizer.save_pretrained(place)
    side = folder.config.vision_config.image_size
    pixels: dict[str, Any] = {
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "resample": 3,
    }
    pixels |= {"image_mean": list(folder.mean), "image_std": list(folder.std)}
    square = {"height": side, "width": side}
    if folder.tokenizer == "llama":
        crop = {"crop_size": square, "size": {"shortest_edge": side}, "do_center_crop": True}
        pixels |= {**crop, "image_processor_type": "CLIPImageProcessor"}
    else:
        pixels |= {"size": square, "image_processor_type": "SiglipImageProcessor"}
        write_json(place / "chat_template.json", {"chat_template": INTERLEAVE_TEMPLATE})
    write_json(place / "preprocessor_config.json", pixels)
