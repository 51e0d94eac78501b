"""Number formats are set around SAM2's work and leave the process as it was."""

import pytest
import torch

from geomag.model.precision import products_in

CPU = torch.device("cpu")


def settings():
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    ("precision", "inside"), [("float32", False), ("tf32", True), ("bfloat16", True)]
)
def test_the_setting_holds_inside_and_not_afterwards(precision, inside):
    before = settings()
    with products_in(precision, CPU):
        assert settings() == (inside, inside)
    assert settings() == before


def test_an_error_inside_restores_the_setting_too():
    before = settings()
    with pytest.raises(ZeroDivisionError), products_in("tf32", CPU):
        raise ZeroDivisionError
    assert settings() == before


def test_only_bfloat16_changes_a_products_type():
    one = torch.eye(3)
    kinds = {}
    for precision in ("float32", "tf32", "bfloat16"):
        with products_in(precision, CPU):
            kinds[precision] = (one @ one).dtype
    assert kinds == {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}
