"""Weights into a module, all of them or none."""

from torch import Tensor, nn

from geomag.errors import WeightsError


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
