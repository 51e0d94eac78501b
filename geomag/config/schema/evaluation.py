"""Prediction, scores and report."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictConfig:
    """Greedy decoding."""

    batch: int = 32
    max_new_tokens: int = 24
    max_new_tokens_gcg: int = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreConfig:
    """Uncertainty and protocol of the score tables."""

    resamples: int = 1000
    seed: int = 17
    both_empty: float = 0.0
    """IoU of an empty prediction against an empty truth; the reference code says 0."""
    max_missing: float = 0.001
    """Largest share of a split that may lack a prediction; more ends `geomag score`."""
    max_missing_captions: float = 0.005
    """The same for captions, whose test sets have tens of images."""

    def __post_init__(self) -> None:
        for name in ("max_missing", "max_missing_captions"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"score.{name} must lie in [0, 1], got {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportConfig:
    """What the report shows."""

    gallery: int = 8
    """Pictures per benchmark."""
