"""Pinned checkpoints: every file that decides an answer, held against its digest.

Weights, tokenizer, processor and configuration count alike: a tokenizer of another revision gives
the new tokens other ids, and a processor's mean shifts every pixel.
"""

from pathlib import Path
from typing import Any

from geomag.config.schema import Profile
from geomag.errors import WeightsError
from geomag.io import file_digest, read_json, visible, write_json
from geomag.manifest import publish, resolve_path, write_manifest
from geomag.model.weight_files import check_weight_file

WEIGHTS = ("*.safetensors", "*.pt")
_WEIGHT_SUFFIXES = (".safetensors", ".pt")
BESIDE = ("*.json", "*.txt", "*.model", "*.jinja")
"""Configuration, tokenizer and processor, as checkpoints of the hub have them."""
_NOT_PINNED = ("complete.json", "FETCHED.json")
"""Our own markers."""


def pin_base(folder: Path, profile: Profile) -> str:
    """Write a manifest of the pretrained parts that the profile names, and their digests.

    Raises:
        WeightsError: If they are not there, or see images of another size than the profile says.
    """
    _check_sizes(profile)
    with publish(folder) as out:
        parts = {
            name: {"path": path, "sha256": part_digests(resolve_path(path))}
            for name, path in _parts(profile).items()
        }
        write_json(out / "manifest.json", parts)
        return write_manifest(out, kind="pinned")


def check_pins(folder: Path, profile: Profile) -> None:
    """Hold the pretrained parts that are read in place against the base folder's manifest.

    Raises:
        WeightsError: Naming the file that was changed, added or lost since.
    """
    manifest = read_json(folder / "manifest.json")
    for name, path in _parts(profile).items():
        if name not in manifest:  # a composed VLM lies in the folder itself
            continue
        pinned, found = manifest[name]["sha256"], part_digests(resolve_path(path))
        if all(Path(file).suffix in _WEIGHT_SUFFIXES for file in pinned):  # made before the rest
            found = {f: d for f, d in found.items() if Path(f).suffix in _WEIGHT_SUFFIXES}
        for file in sorted({*pinned, *found}):
            if pinned.get(file) != found.get(file):
                was, now = (str(d.get(file, "absent"))[:16] for d in (pinned, found))
                raise WeightsError(
                    str(Path(path) / file), f"sha256 {now}", f"{was}, as pinned", "fetch it again"
                )


def part_digests(path: Path) -> dict[str, str]:
    """sha256 by file name of a checkpoint: its weights, and what lies beside them to read them.

    Raises:
        WeightsError: If there are no weights, or what is there is no whole file of them.
    """
    weights = [path] if path.is_file() else [f for kind in WEIGHTS for f in visible(path, kind)]
    if not weights:
        raise WeightsError(str(path), "no weights there", remedy="see docs/setup.md, real weights")
    for file in weights:
        check_weight_file(file)
    beside = [] if path.is_file() else [f for kind in BESIDE for f in visible(path, kind)]
    return {
        file.name: file_digest(file)
        for file in sorted([*weights, *beside])
        if file.name not in _NOT_PINNED
    }


def _parts(profile: Profile) -> dict[str, str]:
    """Paths of the pretrained parts by name."""
    paths = {"vlm": profile.vlm.path, "encoder": profile.encoder.path}
    return {**paths, "text_encoder": profile.text_encoder.path}


def _check_sizes(profile: Profile) -> None:
    """Hold the VLM's input side against the profile's, by which views are planned."""
    config = resolve_path(profile.vlm.path) / "config.json"
    tree: dict[str, Any] = read_json(config) if config.is_file() else {}
    vision = tree.get("vision_config", {})
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
