"""Settings of prediction, scores and report."""

from pydantic import Field, NonNegativeInt, PositiveInt

from geomag.config.schema.base import Settings, Share


class PredictConfig(Settings):
    """Settings of prediction, which decodes greedily."""

    batch: PositiveInt = Field(default=32, description="Records answered at once.")
    max_new_tokens: PositiveInt = Field(
        default=24, description="Most new tokens of an answer, grounded conversation excepted."
    )
    max_new_tokens_gcg: PositiveInt = Field(
        default=96,
        description="Most new tokens of a description with masks (protocols/gcg#answers).",
    )


class ScoreConfig(Settings):
    """Uncertainty and protocol of the score tables."""

    resamples: PositiveInt = Field(
        default=1000,
        description="Resamples of images behind an interval (protocols/rsvqa#intervals).",
    )
    seed: NonNegativeInt = Field(default=17, description="Seed of the resamples.")
    both_empty: Share = Field(
        default=0.0,
        description="IoU of an empty prediction against an empty truth; the reference code says 0.",
    )
    max_missing: Share = Field(
        default=0.001,
        description="Largest share of a split that may lack a prediction; more ends `geomag "
        "score`.",
    )
    max_missing_captions: Share = Field(
        default=0.005, description="The same for captions, whose test sets have tens of images."
    )


class ReportConfig(Settings):
    """What the report shows."""

    gallery: NonNegativeInt = Field(default=8, description="Pictures per benchmark.")
