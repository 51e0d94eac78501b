"""Memory of one training update, said before it is spent (protocols/model#memory).

Weights and optimiser state are counted; what a backward pass keeps is derived from the shapes,
for an attention kernel that keeps no score matrix (flash).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, nn
from transformers import LlamaConfig

from geomag.errors import ConfigError
from geomag.model.geomag import GeoMag

TRAINED_BYTES = 16
"""Bytes of a trained parameter in float32: itself, its gradient, Adam's two moments."""
CHECKPOINT_BYTES = 12
"""Bytes of the same in a checkpoint: itself and Adam's two moments."""
ANSWER_TOKENS = 32
"""Answer tokens of a sample, each scored against the whole table of words."""
MASKS = 1.5
"""Masks of a sample of the mixture: a micro-batch of 4 draws at most 8, one of 32 about 36."""
DECODER_STATES = 26.2
"""What the mask decoder keeps of a mask, in states of SAM2's coarsest level (counted on meta)."""
_FP32 = 4


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes by purpose."""

    frozen: int
    """Weights and tables that do not train."""
    trained: int
    """Trained weights with gradients and optimiser state."""
    activations: int
    """What the backward pass of one micro-batch keeps."""

    @property
    def total(self) -> int:
        """Sum of all purposes, in bytes."""
        return self.frozen + self.trained + self.activations

    @property
    def on_disk(self) -> int:
        """Checkpoints at their most: two that are kept and one that is being written."""
        return 3 * (self.trained * CHECKPOINT_BYTES) // TRAINED_BYTES

    def check(self, *, free: int, free_on_disk: int) -> None:
        """Refuse a training that does not fit beside what is loaded already.

        Args:
            free: Bytes of the device's memory.
            free_on_disk: Bytes where checkpoints go.

        Raises:
            ConfigError: With the setting to change.
        """
        if self.trained + self.activations > free:
            raise ConfigError(
                "train.micro_batch",
                f"an update needs {(self.trained + self.activations) / 1e9:.2f} GB beside the "
                f"loaded weights, {free / 1e9:.2f} GB are free",
                "a smaller one, or train.gradient_checkpointing: true",
            )
        if self.on_disk > free_on_disk:
            raise ConfigError(
                "work/train",
                f"checkpoints take {self.on_disk / 1e9:.2f} GB, {free_on_disk / 1e9:.2f} GB free",
                "room for them on that disk",
            )

    def __str__(self) -> str:
        parts = (self.frozen, self.trained, self.activations, self.total)
        gb = [f"{part / 1e9:.2f}" for part in parts]
        return (
            f"memory of an update: frozen {gb[0]} GB, trained {gb[1]} GB, activations {gb[2]} GB, "
            f"together {gb[3]} GB; checkpoints on disk {self.on_disk / 1e9:.2f} GB"
        )


def footprint(
    model: GeoMag,
    trained: Iterable[Tensor],
    *,
    micro_batch: int,
    n_tokens: int,
    checkpointing: bool = False,
) -> Footprint:
    """Memory of training ``model`` at its highest: where the backward pass begins.

    Measured on an H100 at LLaVA-1.5-7B and SAM2 hiera-large with micro-batches of 4 to 32: within
    5 % (docs/performance.md).

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
    config, adapter = model.vlm.llava.config.text_config, model.vlm.peft.peft_config["default"]
    table = model.vlm.llava.get_input_embeddings().weight
    element = table.element_size()
    has_dropout = adapter.lora_dropout > 0
    layer = kept_per_layer(config, element=element, rank=adapter.r, dropout=has_dropout)
    n_layers, positions = config.num_hidden_layers, micro_batch * n_tokens
    scored = micro_batch * ANSWER_TOKENS * config.vocab_size * (element + 3 * _FP32)
    # peft writes the new rows into a copy of the head's table, whose gradient is as large
    head = 2 * table.numel() * element
    drawn = round(micro_batch * MASKS * kept_per_mask(model))
    states = positions * n_layers * layer + drawn
    if checkpointing:  # a layer is computed again when the decoder's part has been given back
        states = positions * n_layers * element * config.hidden_size + max(drawn, positions * layer)
    return Footprint(
        frozen=sum(t.numel() * t.element_size() for t in still),
        trained=sum(t.numel() for t in chosen) * TRAINED_BYTES,
        activations=states + scored + head,
    )


def kept_per_layer(config: LlamaConfig, *, element: int, rank: int, dropout: bool = False) -> int:
    """Bytes that a layer of a Llama with LoRA on q and v keeps of one position.

    Args:
        config: Its widths.
        element: Bytes of a frozen weight; norms and the adapter's inputs are float32.
        rank: Of the adapter.
        dropout: Whether the adapter drops inputs, and keeps which, a byte each.
    """
    width, heads = config.hidden_size, config.num_attention_heads
    norms = 2 * _FP32 * (width + 1)
    # a float32 input of the adapter is the normalised state itself, kept once
    inputs = 2 * _FP32 * width if element < _FP32 or dropout else _FP32 * width
    lora = 2 * _FP32 * rank + inputs + (2 * width if dropout else 0)
    attention = 4 * element * width + _FP32 * heads  # q, k, v, output; the softmax's normaliser
    mlp = 3 * element * config.intermediate_size  # gate, its activation, up
    return int(norms + lora + attention + mlp)


def kept_per_mask(model: GeoMag) -> int:
    """Bytes that the Pixel Decoder keeps of one mask, its features and its truth."""
    size = model.sam.size
    coarsest = size.neck_width * (size.image_px // 16) ** 2
    return int(_FP32 * (DECODER_STATES * coarsest + (size.image_px // 2) ** 2))


def weights_of(module: nn.Module) -> int:
    """Bytes of a module's parameters."""
    return sum(p.numel() * p.element_size() for p in module.parameters())
