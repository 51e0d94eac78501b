"""A batch as the language model reads it: embeddings of words and image, merged and padded."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

IGNORE = -100
"""Label of a position that no loss counts (PyTorch's ``ignore_index``)."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A left-padded batch of merged embeddings."""

    embeds: Tensor
    """``[B, S, D]``."""
    mask: Tensor
    """``[B, P + S]``, 0 on padding that a later position would see; or bool ``[B, 1, S, S]``, True
    where a row may look."""
    positions: Tensor
    """``[B, S]``, counted along each prompt."""
    image_columns: Tensor
    """``[B, P + S]`` bool: where the visual tokens stand."""
    labels: Tensor
    """``[B, S]``: answer ids at their own positions, -100 elsewhere."""
    past: Sequence[tuple[Tensor, Tensor]] | None = None
    """Per layer the keys and values ``[B, kv_heads, P, hd]`` of P positions that were read before
    (`geomag.model.prefix`); None: P = 0."""
