"""Memory of one training update, said before it is spent (protocols/model#memory).

Weights and optimiser state are counted; what a backward pass keeps is derived from the shapes,
for an attention kernel that keeps no score matrix (flash).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, nn
from transformers import LlamaConfig

from geomag.model.geomag import GeoMag

TRAINED_BYTES = 16
"""Of a trained parameter in float32: itself, its gradient, Adam's two moments."""
_FP32 = 4


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes by purpose."""

    frozen: int
    """Weights and tables that do not train."""
    trained: int
    """Trained weights with gradients and optimiser state."""
    activations: int
    """What the backward pass of one micro-batch keeps of the language model."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.frozen + self.trained + self.activations

    def __str__(self) -> str:
        parts = (self.frozen, self.trained, self.activations, self.total)
        gb = [f"{part / 1e9:.2f}" for part in parts]
        return (
            f"memory of an update: frozen {gb[0]} GB, trained {gb[1]} GB, activations {gb[2]} GB, "
            f"together {gb[3]} GB"
        )


def footprint(
    model: GeoMag,
    trained: Iterable[Tensor],
    *,
    micro_batch: int,
    n_tokens: int,
    checkpointing: bool = False,
) -> Footprint:
    """Memory of training ``model``.

    Args:
        model: On any device, meta included.
        trained: The tensors that the optimiser holds.
        micro_batch: Samples per backward pass.
        n_tokens: Visual and text tokens of a sample.
        checkpointing: Whether layers are computed again in the backward pass.
    """
    chosen = list(trained)
    ids = {id(tensor) for tensor in chosen}
    still = [t for t in (*model.parameters(), *model.buffers()) if id(t) not in ids]
    text = model.vlm.llava.config.text_config
    per_token = kept_per_token(
        text,
        element=model.vlm.llava.get_input_embeddings().weight.element_size(),
        rank=model.profile.adapter.rank,
        checkpointing=checkpointing,
    )
    return Footprint(
        frozen=sum(t.numel() * t.element_size() for t in still),
        trained=sum(t.numel() for t in chosen) * TRAINED_BYTES,
        activations=micro_batch * n_tokens * per_token,
    )


def kept_per_token(
    config: LlamaConfig, *, element: int, rank: int, checkpointing: bool = False
) -> int:
    """Bytes that all layers of a Llama with LoRA on q and v keep of one position.

    Args:
        config: Widths and layers.
        element: Bytes of a frozen weight; norms and the adapter's inputs are float32.
        rank: Of the adapter.
        checkpointing: Each layer keeps its input, and one at a time all the rest.
    """
    width, heads = config.hidden_size, config.num_attention_heads
    norms = 2 * _FP32 * (width + 1)
    # a float32 input of the adapter is the normalised state itself, kept once
    lora = 2 * _FP32 * rank + (2 * _FP32 * width if element < _FP32 else _FP32 * width)
    attention = 4 * element * width + _FP32 * heads  # q, k, v, output; the softmax's normaliser
    mlp = 3 * element * config.intermediate_size  # gate, its activation, up
    layer = norms + lora + attention + mlp
    if checkpointing:
        return int(config.num_hidden_layers * element * width + layer)
    return int(config.num_hidden_layers * layer)


def weights_of(module: nn.Module) -> int:
    """Bytes of a module's parameters."""
    return sum(p.numel() * p.element_size() for p in module.parameters())
