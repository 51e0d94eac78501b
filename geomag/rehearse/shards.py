"""Safetensors written tensor by tensor: a checkpoint of any size in the memory of one tensor."""

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from geomag.io import atomic_path, write_json
from geomag.seeds import seed_of

SHARD_BYTES = 5_000_000_000
"""Most bytes of a shard's tensors, as the hub's are cut."""
_NAMES = {torch.bfloat16: "BF16", torch.float32: "F32", torch.float16: "F16"}


def write_shards(
    folder: Path,
    shapes: Mapping[str, Sequence[int]],
    fill: Callable[[str, Tensor], None],
    *,
    dtype: torch.dtype = torch.bfloat16,
    shard_bytes: int = SHARD_BYTES,
) -> int:
    """Write ``model-0000N-of-0000M.safetensors`` with their index, or one ``model.safetensors``.

    Args:
        folder: Gets the files; each appears when it is whole.
        shapes: Of the tensors by name, in the order they are written.
        fill: Gives a tensor its values, in place; seeded by the name alone.
        dtype: Format of all tensors.
        shard_bytes: Most bytes of a shard.

    Returns:
        Bytes of all tensors.
    """
    shards = _planned(shapes, dtype.itemsize, shard_bytes)
    count, where, total = len(shards), {}, 0
    for number, names in enumerate(shards, start=1):
        name = (
            f"model-{number:05d}-of-{count:05d}.safetensors" if count > 1 else "model.safetensors"
        )
        total += _write(folder / name, {one: shapes[one] for one in names}, fill, dtype)
        where.update(dict.fromkeys(names, name))
    if count > 1:
        index = {"metadata": {"total_size": total}, "weight_map": where}
        write_json(folder / "model.safetensors.index.json", index)
    return total


def _planned(
    shapes: Mapping[str, Sequence[int]], item_bytes: int, shard_bytes: int
) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    held = 0
    for name, shape in shapes.items():
        size = item_bytes * torch.Size(shape).numel()
        if shards[-1] and held + size > shard_bytes:
            shards.append([])
            held = 0
        shards[-1].append(name)
        held += size
    return shards


def _write(
    path: Path,
    shapes: Mapping[str, Sequence[int]],
    fill: Callable[[str, Tensor], None],
    dtype: torch.dtype,
) -> int:
    header, offset = {}, 0
    for name, shape in shapes.items():
        size = dtype.itemsize * torch.Size(shape).numel()
        place = [offset, offset + size]
        header[name] = {"dtype": _NAMES[dtype], "shape": list(shape), "data_offsets": place}
        offset += size
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    text += b" " * (-len(text) % 8)
    with atomic_path(path) as temporary, temporary.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            torch.manual_seed(seed_of(0, "rehearsal", name))
            tensor = torch.empty(tuple(shape), dtype=dtype)
            fill(name, tensor)
            out.write(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return offset
