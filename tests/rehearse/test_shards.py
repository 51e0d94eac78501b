"""Checkpoints written tensor by tensor are what safetensors itself reads."""

import torch
from safetensors.torch import load_file

from geomag.io import read_json
from geomag.model.weight_files import check_weight_file
from geomag.rehearse.shards import write_shards

SHAPES = {"a.weight": (3, 5), "b.bias": (7,), "c.weight": (4, 2), "d.weight": (1, 1)}


def fill(_name, tensor):
    tensor.normal_()


def test_shards_hold_every_tensor_once_and_the_index_says_where(tmp_path):
    total = write_shards(tmp_path, SHAPES, fill, shard_bytes=46)
    index = read_json(tmp_path / "model.safetensors.index.json")
    files = sorted(tmp_path.glob("*.safetensors"))
    assert [file.name for file in files] == [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    loaded = {}
    for file in files:
        check_weight_file(file)
        state = load_file(file)
        assert not loaded.keys() & state.keys()
        assert all(index["weight_map"][name] == file.name for name in state)
        loaded.update(state)
    assert {name: tuple(t.shape) for name, t in loaded.items()} == SHAPES
    assert all(tensor.dtype is torch.bfloat16 for tensor in loaded.values())
    assert total == index["metadata"]["total_size"] == sum(t.nbytes for t in loaded.values())


def test_what_fits_is_one_file_and_its_values_depend_on_their_names_alone(tmp_path):
    write_shards(tmp_path / "one", SHAPES, fill, dtype=torch.float32)
    write_shards(tmp_path / "two", {"c.weight": (4, 2)}, fill, dtype=torch.float32)
    first = load_file(tmp_path / "one" / "model.safetensors")
    second = load_file(tmp_path / "two" / "model.safetensors")
    assert torch.equal(first["c.weight"], second["c.weight"])
    assert not torch.equal(first["c.weight"].reshape(-1)[:7], first["b.bias"])
