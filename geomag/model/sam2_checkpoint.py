"""SAM2 from the files that it is published as: its own ``.pt``, or a folder of transformers.

The size is read from the weights' own shapes (`geomag.model.sam2_sizes`).
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from geomag.errors import WeightsError
from geomag.io import read_json, visible
from geomag.model.sam2_names import is_of_transformers, own_names
from geomag.model.sam2_parts import Sam2Parts, Sam2Size
from geomag.model.sam2_sizes import size_of
from geomag.model.state import load_strictly

PREFIXES = ("image_encoder.", "sam_prompt_encoder.", "sam_mask_decoder.", "no_mem_embed")


def load_sam2(path: Path) -> Sam2Parts:
    """SAM2's image side from a ``.pt``, a safetensors file, or a folder with one of them.

    Of a folder that has both, the ``.pt`` is read; a ``config.json`` of our own gives a size that
    is none of the published.

    Raises:
        WeightsError: If there is none, or it is not a whole SAM2 of a size we know.
    """
    size = None
    if path.is_dir():
        file = _file_of(path)
        config = path / "config.json"
        tree = read_json(config) if config.is_file() else {}
        size = sam2_size(tree) if "embed_dim" in tree else None
    else:
        file = path
    state = _image_side(_read(file), str(file))
    parts = Sam2Parts(size or size_of(state, str(file)))
    load_strictly(parts, state, place=str(file))
    return parts


def sam2_size(tree: dict[str, Any]) -> Sam2Size:
    """A size from its own JSON."""
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in tree.items()}
    return Sam2Size(**values)


def _file_of(folder: Path) -> Path:
    """The checkpoint in a folder: a ``.pt`` before safetensors, of which there must be one."""
    for kind in ("*.pt", "*.safetensors"):
        found = visible(folder, kind)
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise WeightsError(str(folder), names, "one checkpoint", "name the file itself")
        if found:
            return found[0]
    raise WeightsError(str(folder), "no .pt or .safetensors file", "a SAM2 checkpoint")


def _read(file: Path) -> dict[str, Tensor]:
    if file.suffix != ".pt":
        return dict(load_file(file))
    tree = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    state = tree.get("model") if isinstance(tree, dict) else None
    if not isinstance(state, dict):
        found = f"keys {sorted(map(str, tree))[:3]}" if isinstance(tree, dict) else "no mapping"
        raise WeightsError(str(file), found, "one entry `model`, as SAM2 is published")
    return state


def _image_side(state: dict[str, Tensor], place: str) -> dict[str, Tensor]:
    """Tensors of the image side under SAM2's own names; those for video are left out."""
    if is_of_transformers(state):
        state = own_names(state)
    found = {name: tensor for name, tensor in state.items() if name.startswith(PREFIXES)}
    if not found:
        raise WeightsError(place, f"keys {sorted(state)[:3]}", "a SAM2 checkpoint")
    return found
