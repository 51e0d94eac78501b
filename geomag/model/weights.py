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
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from geomag.config.schema import Profile
from geomag.errors import WeightsError
from geomag.io import file_digest, read_json, visible, write_json
from geomag.manifest import publish, read_manifest, resolve_path, write_manifest
from geomag.model import towers as _registers_efficientnet  # noqa: F401
from geomag.model.sam2_parts import (
    HIERA_LARGE,
    Sam2Parts,
    Sam2Size,
    sample_size,
    start_local,
)
from geomag.model.tokenizer import load_tokenizer
from geomag.model.vlm import Vlm
from geomag.model.weight_files import check_weight_file

SAM2_PREFIXES = ("image_encoder.", "sam_prompt_encoder.", "sam_mask_decoder.", "no_mem_embed")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def load_strictly(module: nn.Module, state: dict[str, Tensor], *, place: str) -> None:
    """Load every tensor or none.

    Raises:
        WeightsError: Naming the first five missing and unexpected keys, or a wrong shape.
    """
    own = module.state_dict()
    missing = sorted(set(own) - set(state))[:5]
    unexpected = sorted(set(state) - set(own))[:5]
    if missing or unexpected:
        raise WeightsError(place, f"missing {missing}, unexpected {unexpected}", "exactly our keys")
    for name, tensor in state.items():
        if tensor.shape != own[name].shape:
            raise WeightsError(
                f"{place}, {name}", f"shape {tuple(tensor.shape)}", f"{tuple(own[name].shape)}"
            )
    module.load_state_dict(state)


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
            "encoder": {"path": encoder, "sha256": _weight_digests(resolve_path(encoder))},
            "language": {"path": profile.vlm.language, "sha256": profile.vlm.language_sha256},
            "vision": {"path": profile.vlm.vision, "sha256": profile.vlm.vision_sha256},
        }
        write_json(out / "manifest.json", parts)
        return write_manifest(out, kind="composed")


def pin_base(folder: Path, profile: Profile) -> str:
    """Write a manifest of the pretrained weights that the profile names, and their digests.

    Raises:
        WeightsError: If they are not there, or see images of another size than the profile says.
    """
    _check_sizes(profile)
    with publish(folder) as out:
        parts: dict[str, Any] = {}
        for name, path in (("vlm", profile.vlm.path), ("encoder", profile.encoder.path)):
            parts[name] = {"path": path, "sha256": _weight_digests(resolve_path(path))}
        write_json(out / "manifest.json", parts)
        return write_manifest(out, kind="pinned")


def _check_sizes(profile: Profile) -> None:
    """Hold the VLM's input side against the profile's, by which views are planned."""
    config = resolve_path(profile.vlm.path) / "config.json"
    vision = read_json(config).get("vision_config", {}) if config.is_file() else {}
    sides = [("image_size", "vlm.image_px", profile.vlm.image_px)]
    sides.append(("patch_size", "vlm.patch_px", profile.vlm.patch_px))
    for key, setting, wanted in sides:
        if vision.get(key, wanted) != wanted:
            raise WeightsError(
                f"{config}, vision_config.{key}",
                str(vision[key]),
                f"{setting} {wanted}",
                f"set {setting} to {vision[key]}",
            )


def check_pins(folder: Path, profile: Profile) -> None:
    """Hold the pretrained weights that are read in place against the base folder's manifest.

    Raises:
        WeightsError: Naming the file that was changed, added or lost since.
    """
    manifest = read_json(folder / "manifest.json")
    for name, path in (("vlm", profile.vlm.path), ("encoder", profile.encoder.path)):
        if name not in manifest:  # a composed VLM lies in the folder itself
            continue
        pinned, found = manifest[name]["sha256"], _weight_digests(resolve_path(path))
        for file in sorted({*pinned, *found}):
            if pinned.get(file) != found.get(file):
                was, now = (str(d.get(file, "absent"))[:16] for d in (pinned, found))
                raise WeightsError(
                    str(Path(path) / file), f"sha256 {now}", f"{was}, as pinned", "fetch it again"
                )


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
        size = _size_from(read_json(folder / "encoder" / "config.json"))
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
    """A LLaVA-1.5 checkpoint in Hugging Face layout, from disk only, safetensors only."""
    if not (folder / "config.json").is_file():
        raise WeightsError(str(folder), "no config.json", "a LLaVA folder in Hugging Face layout")
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
    return Vlm(llava, load_tokenizer(folder))


def load_sam2(path: Path) -> Sam2Parts:
    """SAM2 from its own ``.pt`` (image side only) or from a safetensors file or folder of ours."""
    if path.is_dir():
        found = _weight_files(path)
        if not found:
            raise WeightsError(str(path), "no .pt or .safetensors file", "a SAM2 checkpoint")
        config = path / "config.json"
        size = _size_from(read_json(config)) if config.is_file() else HIERA_LARGE
        path = found[0]
    else:
        size = HIERA_LARGE
    if path.suffix == ".pt":
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["model"]
    else:
        state = load_file(path)
    wanted = {k: v for k, v in state.items() if k.startswith(SAM2_PREFIXES)}
    parts = Sam2Parts(size)
    load_strictly(parts, wanted, place=str(path))
    return parts


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


def _size_from(tree: dict[str, Any]) -> Sam2Size:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in tree.items()}
    return Sam2Size(**values)


def _weight_files(folder: Path) -> list[Path]:
    return sorted([*visible(folder, "*.safetensors"), *visible(folder, "*.pt")])


def _weight_digests(path: Path) -> dict[str, str]:
    files = (
        [path]
        if path.is_file()
        else sorted([*visible(path, "*.safetensors"), *visible(path, "*.pt")])
    )
    if not files:
        raise WeightsError(str(path), "no weights there", remedy="see docs/setup.md, real weights")
    for file in files:
        check_weight_file(file)
    return {file.name: file_digest(file) for file in files}
