"""A question on its way through the pipeline: as it is asked, prepared and answered."""

from collections.abc import Mapping
from dataclasses import dataclass

from geomag.geometry import PixelBox
from geomag.inference.probes import WindowProposal
from geomag.inference.prompt import Prompt
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.crops import Heat
from geomag.magcrop.granularity import GranularityDecision
from geomag.model.query import ModelAnswer, Query


@dataclass(frozen=True, slots=True)
class Question:
    """One prompt about one picture."""

    image: RgbImage
    """``uint8 [H, W, 3]``; questions about the same array share what is computed of it."""
    prompt: Prompt
    heat: Heat | None = None
    """Map of the prompt's own probe, if it is known already."""


@dataclass(frozen=True, slots=True)
class PreparedQuestion:
    """A question with how MagCrop treats it."""

    question: Question
    decision: GranularityDecision | None
    """Decision on the granularity; None where nobody asked for MagCrop."""
    proposal: WindowProposal | None
    """Windows that a probe proposed; None where nothing was probed."""
    query: Query

    @property
    def heat(self) -> Heat | None:
        """Eq 4's maps; None where it was not asked."""
        return self.proposal.heat if self.proposal else None

    @property
    def boxes(self) -> tuple[PixelBox, ...]:
        """C_1, or C_1 and C_2; empty where the image stays whole."""
        return self.proposal.boxes if self.proposal else ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the model answered to one question, and how it was prepared."""

    prepared: PreparedQuestion
    answer: ModelAnswer
    """The answer that stands."""
    is_plain: bool
    """Whether it is the whole image's although there was a window."""
    seconds: Mapping[str, float]
    """Seconds by phase, of the batch divided by its size."""
