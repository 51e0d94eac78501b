"""Prediction, scores and report."""

from dataclasses import dataclass
from typing import Annotated

from geomag.config.schema.checks import NOT_NEGATIVE, POSITIVE, SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictConfig:
    """Greedy decoding."""

    batch: Annotated[int, POSITIVE] = 32
    """Records answered at once."""
    max_new_tokens: Annotated[int, POSITIVE] = 24
    """Most new tokens of an answer, grounded conversation excepted."""
    max_new_tokens_gcg: Annotated[int, POSITIVE] = 96
    """Most new tokens of a description with masks (protocols/gcg#answers)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreConfig:
    """Uncertainty and protocol of the score tables."""

    resamples: Annotated[int, POSITIVE] = 1000
    """Resamples of images behind an interval (protocols/rsvqa#intervals)."""
    seed: Annotated[int, NOT_NEGATIVE] = 17
    """Seed of the resamples."""
    both_empty: Annotated[float, SHARE] = 0.0
    """IoU of an empty prediction against an empty truth; the reference code says 0."""
    max_missing: Annotated[float, SHARE] = 0.001
    """Largest share of a split that may lack a prediction; more ends `geomag score`."""
    max_missing_captions: Annotated[float, SHARE] = 0.005
    """The same for captions, whose test sets have tens of images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportConfig:
    """What the report shows."""

    gallery: Annotated[int, NOT_NEGATIVE] = 8
    """Pictures per benchmark."""
