"""What one teacher-forced pass of the network takes and gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from geomag.model.packing import PackedQuestion, PackedQuestions


@dataclass(frozen=True, slots=True)
class BatchPart:
    """Rows of like length, read by the language model at once."""

    visual: Sequence[Tensor]
    """Visual tokens of each row ``[n_i, D]``, or what the projector reads of it
    (`GeoMag.frozen_visual`)."""
    turns: Sequence[Sequence[PackedQuestion]]
    """Questions and answers of each row; they do not see each other."""


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Images with questions, answers and what SAM2 sees of each target."""

    head: Sequence[int]
    """Ids before the image, the same in every row."""
    parts: Sequence[BatchPart]
    features: Sequence[Tensor]
    """Fine to coarse ``[K, C_l, h_l, w_l]`` of the K targets, in order of parts and rows; empty
    where nothing is drawn."""


@dataclass(frozen=True, slots=True)
class PartOutput:
    """What one part of a batch comes to."""

    rows: PackedQuestions
    """The merged rows and where each question ends."""
    logits: Tensor
    """``[A, V]``: of the A answer tokens, in order."""
    groups: Tensor
    """``[K_p, 2]``: row and column of each [SEG] group's first token."""
    last_layer: dict[str, Any]
    """What enters the last decoder layer: ``x`` ``[B, S, D]`` and its rotary tables."""


@dataclass(frozen=True, slots=True)
class TrainingOutput:
    """Outputs of a pass that the losses are made of."""

    parts: Sequence[PartOutput]
    prompts: Tensor | None
    """``[K, 1, C]``: the fused [SEG] embeddings; None where nothing is drawn."""
    mask_logits: Tensor | None
    """``[K, S/4, S/4]`` (Eq 1); None where nothing is drawn."""
