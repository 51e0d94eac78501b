"""Weights at rest: base models, trained decoder, and the real parts from local folders.

Only safetensors and ``weights_only`` checkpoints are read; loading is strict and names the first
keys that do not fit; every folder ends with ``complete.json``, which carries digests.
"""

import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import LlavaForConditionalGeneration

from geomag.config.schema import Profile
from geomag.data.prompts import IMAGE_TOKEN
from geomag.errors import WeightsError
from geomag.io import read_json, write_json
from geomag.manifest import publish, read_manifest, resolve_path, write_manifest
from geomag.model import towers as _registers_efficientnet  # noqa: F401
from geomag.model.pins import check_pins, part_digests
from geomag.model.sam2_checkpoint import load_sam2, sam2_size
from geomag.model.sam2_parts import Sam2Parts, sample_size, start_local
from geomag.model.state import load_strictly
from geomag.model.tokenizer import load_tokenizer
from geomag.model.vision import CLIP
from geomag.model.vlm import Vlm

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def save_base(folder: Path, vlm: Vlm, sam: Sam2Parts) -> str:
    """Write the sample's own base models in half precision; returns the folder's digest."""
    with publish(folder) as out:
        copy.deepcopy(vlm.llava).half().save_pretrained(out / "vlm")
        vlm.tokenizer.save_pretrained(out / "vlm")
        (out / "encoder").mkdir()
        state = {k: v.half().contiguous() for k, v in sam.state_dict().items()}
        save_file(state, out / "encoder" / "sam2.safetensors")
        write_json(out / "encoder" / "config.json", asdict(sam.size))
        return write_manifest(out, kind="trained")


def save_composed(folder: Path, vlm: Vlm, profile: Profile) -> str:
    """Write a composed VLM, and a manifest of its parts and of the pinned mask encoder.

    The language model is written in half precision, the rest as it is: a batch norm's running
    variances span more than half precision holds.
    """
    vlm.llava.model.language_model.half()
    vlm.llava.lm_head.half()
    with publish(folder) as out:
        vlm.llava.save_pretrained(out / "vlm")
        vlm.tokenizer.save_pretrained(out / "vlm")
        encoder = profile.encoder.path
        parts = {
            "encoder": {"path": encoder, "sha256": part_digests(resolve_path(encoder))},
            "language": {"path": profile.vlm.language, "sha256": profile.vlm.language_sha256},
            "vision": {"path": profile.vlm.vision, "sha256": profile.vlm.vision_sha256},
        }
        write_json(out / "manifest.json", parts)
        return write_manifest(out, kind="composed")


def load_base(folder: Path, profile: Profile) -> tuple[Vlm, Sam2Parts]:
    """The frozen VLM and SAM2 of a base folder, in evaluation mode."""
    kind = read_manifest(folder)["kind"]
    if kind in ("pinned", "composed"):
        check_pins(folder, profile)
        where = resolve_path(profile.vlm.path) if kind == "pinned" else folder / "vlm"
        vlm = load_vlm(where, dtype=profile.vlm.dtype)
        sam = load_sam2(resolve_path(profile.encoder.path))
    else:
        vlm = load_vlm(folder / "vlm", dtype=profile.vlm.dtype)
        size = sam2_size(read_json(folder / "encoder" / "config.json"))
        sam = Sam2Parts(size)
        load_strictly(
            sam, load_file(folder / "encoder" / "sam2.safetensors"), place="sam2.safetensors"
        )
    vlm.requires_grad_(False)
    sam.requires_grad_(False)
    device = device_of(profile)
    return vlm.eval().to(device), sam.eval().to(device)


def device_of(profile: Profile) -> torch.device:
    """Where the profile's models run; ``auto`` takes a GPU if there is one."""
    if profile.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(profile.device)


def load_vlm(folder: Path, *, dtype: str = "float32") -> Vlm:
    """A LLaVA checkpoint in Hugging Face layout, from disk only, safetensors only.

    Raises:
        WeightsError: If it is not whole, or of a kind that we do not read.
    """
    if not (folder / "config.json").is_file():
        raise WeightsError(str(folder), "no config.json", "a LLaVA folder in Hugging Face layout")
    _refuse_other_kinds(folder)
    index = folder / "model.safetensors.index.json"
    for shard in sorted({*read_json(index)["weight_map"].values()} if index.is_file() else ()):
        if not (folder / shard).is_file():
            raise WeightsError(str(folder / shard), "no such file", "every shard of the index")
    llava, report = LlavaForConditionalGeneration.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        dtype=_DTYPES[dtype],
        output_loading_info=True,
    )
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if names := sorted(map(str, report[kind]))[:5]:
            raise WeightsError(
                str(folder), f"{kind.replace('_', ' ')}: {names}", "a whole checkpoint"
            )
    _take_pixel_rule(llava.config.vision_config, folder)
    tokenizer = load_tokenizer(folder)
    _check_image_token(llava.config, tokenizer, folder)
    return Vlm(llava, tokenizer)


_OTHER_KINDS = {
    "llava_next": (
        "LLaVA-1.6 reads an image as up to five tiles with a newline after each row; Eq 4's "
        "map and our views know one grid an image"
    ),
    "llava_next_video": "it reads several frames, as LLaVA-1.6 does",
    "llava_onevision": "LLaVA-OneVision reads an image as tiles, as LLaVA-1.6 does",
    "llava_llama": "this is the layout of LLaVA's own repository",
    "llava_qwen": "this is the layout of LLaVA's own repository",
}
"""Checkpoints that are taken for LLaVA-1.5's, and why they are not read."""


def _refuse_other_kinds(folder: Path) -> None:
    """Refuse a checkpoint by its ``model_type``, before anything large is built.

    Raises:
        WeightsError: Saying which kind it is, and why it is not read.
    """
    kind = str(read_json(folder / "config.json").get("model_type"))
    if kind == "llava":
        return
    reason = _OTHER_KINDS.get(kind, "its classes are not those of LLaVA-1.5")
    raise WeightsError(
        f"{folder / 'config.json'}, model_type",
        f"{kind!r}: {reason}",
        "'llava', as llava-hf/llava-1.5-7b-hf or llava-hf/llava-interleave-qwen-0.5b-hf",
        "take one of llava-hf's conversions of LLaVA-1.5 or llava-interleave",
    )


def _take_pixel_rule(vision: Any, folder: Path) -> None:
    """Note in the tower's configuration which mean and deviation its pixels are normalised by.

    CLIP's are CLIP's own; other towers come with a processor that says theirs.

    Raises:
        WeightsError: If a tower that is not CLIP's says nothing.
    """
    if vision.model_type == CLIP or hasattr(vision, "image_mean"):
        return
    for name in ("preprocessor_config.json", "processor_config.json"):
        tree = read_json(folder / name) if (folder / name).is_file() else {}
        said = tree.get("image_processor", tree)
        if "image_mean" in said and "image_std" in said:
            vision.image_mean, vision.image_std = said["image_mean"], said["image_std"]
            return
    raise WeightsError(
        str(folder / "preprocessor_config.json"),
        f"no image_mean and image_std for a {vision.model_type}",
        "the mean and deviation that the tower was trained with",
        "take the checkpoint's own processor files with it",
    )


def _check_image_token(config: Any, tokenizer: Any, folder: Path) -> None:
    """Hold the tokenizer's ``<image>`` against the id that the checkpoint was trained with.

    Raises:
        WeightsError: If they differ: pictures would stand where a word is read.
    """
    found = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    if found != config.image_token_index:
        raise WeightsError(
            f"{folder}, {IMAGE_TOKEN} of the tokenizer",
            f"id {found}",
            f"{config.image_token_index}, image_token_index of config.json",
            "take tokenizer and configuration from one revision",
        )


def sample_encoder(profile: Profile) -> Sam2Parts:
    """An untrained SAM2 of the sample's size."""
    encoder = profile.encoder
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(profile.base.seed)
        parts = Sam2Parts(
            sample_size(
                image_px=encoder.image_px,
                embed_dim=encoder.embed_dim,
                neck_width=encoder.neck_width,
            )
        )
    start_local(parts)
    return parts
