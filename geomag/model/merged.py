"""An adapter merged into the weights, for inference: no work beside the base layers.

Training computes LoRA beside each frozen product in float32, and writes the new tokens' rows into
a copy of both tables at every call. Answers need neither: the sum of weights and update is formed
once, rounded once, and the modules are the base model's own again. The base weights stay beside
it, so the Eq 4 probe still sees exactly the base model.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from peft.utils.other import ModulesToSaveWrapper, TrainableTokensWrapper
from torch import Tensor, nn

from geomag.errors import WeightsError

ADAPTER = "default"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an adapted module stood."""

    parent: nn.Module
    name: str
    adapted: nn.Module
    """Module of peft, which training uses."""
    plain: Any
    """The base model's own module, now with the merged weights."""


class MergedAdapter(nn.Module):
    """The weights that an adapter changes, as they were; the model itself has the sums.

    Args:
        llava: The model that peft has put its modules into; they are taken out.

    Raises:
        WeightsError: If a sum is not finite.
    """

    def __init__(self, llava: nn.Module) -> None:
        super().__init__()
        self._places = list(_adapted(llava))
        # by parameter: tied tables are one of two places
        changed = {id(one): (one, new) for place in self._places for one, new in _changes(place)}
        self._weights = [one for one, _ in changed.values()]
        for number, (weight, new) in enumerate(changed.values()):
            # a buffer goes where the model goes, and no state_dict has it
            self.register_buffer(f"base_{number}", weight.data, persistent=False)
            weight.data = new
        for place in self._places:
            setattr(place.parent, place.name, place.plain)

    @contextmanager
    def base_weights(self) -> Iterator[None]:
        """The base model exactly, for a while: weights change places, nothing is computed."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def undo(self) -> None:
        """Put peft's modules and the base weights back, as training needs them."""
        self._swap()
        for place in self._places:
            setattr(place.parent, place.name, place.adapted)

    def _swap(self) -> None:
        for number, weight in enumerate(self._weights):
            name = f"base_{number}"
            before: Tensor = weight.data
            weight.data = self.get_buffer(name)
            setattr(self, name, before)


def _adapted(llava: nn.Module) -> Iterator[_Place]:
    for name, module in list(llava.named_modules()):
        if isinstance(module, LoraLayer):
            plain = module.base_layer
        elif isinstance(module, (TrainableTokensWrapper, ModulesToSaveWrapper)):
            plain = module.original_module
        else:
            continue
        parent, _, own = name.rpartition(".")
        yield _Place(llava.get_submodule(parent), own, module, plain)


@torch.no_grad()
def _changes(place: _Place) -> Iterator[tuple[Any, Tensor]]:
    """Each parameter that the adapter changes, and what it becomes, in its own format."""
    plain, adapted = place.plain, place.adapted
    if isinstance(adapted, LoraLayer):
        update = adapted.get_delta_weight(ADAPTER)
        found = [(plain.weight, plain.weight.float() + update.float())]
    elif isinstance(adapted, TrainableTokensWrapper):
        found = [(plain.weight, adapted.token_adapter.get_merged_weights([ADAPTER]))]
    else:
        trained = adapted.modules_to_save[ADAPTER]
        found = list(zip(plain.parameters(), trained.parameters(), strict=True))
    for parameter, value in found:
        if not bool(torch.isfinite(value).all()):
            raise WeightsError(place.name, "an infinite or undefined weight", remedy="train again")
        yield parameter, value.detach().to(parameter.dtype)
