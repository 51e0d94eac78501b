"""What the network is asked about one model input, and what it says and draws."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geomag.geometry import BoolMask
from geomag.model.model_input import ModelInput


@dataclass(frozen=True, slots=True)
class Query:
    """A question about one model input."""

    model_input: ModelInput
    prompt: str
    """The question before LLaVA's turn markers are put around it."""
    height: int
    """Height of the image in pixels."""
    width: int


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What the model said and drew."""

    text: str
    """``[SEG]`` marks each mask; ``<p>`` tags stay."""
    masks: tuple[BoolMask, ...]
    """``[H, W]`` each, in order of their marks."""
    phrases: tuple[str, ...]
    """One a mask, in order; empty where no phrase stands right before it."""
    n_incomplete: int = 0
    mask_scores: tuple[float, ...] = ()
    """Mean foreground probability inside each mask; 0 for an empty one."""
    mask_probabilities: tuple[NDArray[np.uint8], ...] = ()
    """Foreground probability ``[H, W]`` of each mask's pixels, in 255ths."""
    text_score: float = 0.0
    """Geometric mean probability of the words' tokens; 0 where nothing was said."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Seconds by phase, of the whole batch divided by its size."""
