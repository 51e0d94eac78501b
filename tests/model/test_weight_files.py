"""What stands in place of weights, told from its first bytes."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from geomag.errors import WeightsError
from geomag.model.weight_files import check_weight_file

CASES = Path(__file__).parents[1] / "cases"


@pytest.fixture
def weights(tmp_path) -> Path:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.ones(3, 4), "b": torch.ones(5)}, path)
    return path


def test_whole_weights_pass(weights):
    check_weight_file(weights)


def test_a_git_lfs_pointer_is_named(tmp_path):
    path = tmp_path / "model.safetensors"
    shutil.copyfile(CASES / "lfs_pointer.safetensors", path)
    with pytest.raises(WeightsError, match=r"a Git LFS pointer.*git lfs pull"):
        check_weight_file(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: raw[:-4], "bytes. Wanted: .*as its header says"),
        (lambda raw: raw[:20], "no header of safetensors"),
        (lambda raw: b"", "no header of safetensors"),
        (lambda raw: b"\xff" * 8 + raw[8:], "no header of safetensors"),
        (lambda raw: raw[:8] + b"?" + raw[9:], "a header that is not safetensors'"),
        (lambda raw: b"<!DOCTYPE html><html>", "a web page"),
    ],
)
def test_a_cut_or_foreign_file_is_named(weights, change, said):
    weights.write_bytes(change(weights.read_bytes()))
    with pytest.raises(WeightsError, match=said):
        check_weight_file(weights)
