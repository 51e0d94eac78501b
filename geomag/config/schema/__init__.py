"""Every setting, with its unit, source and range; where the paper is silent stands a name."""

from typing import Literal, Self

from pydantic import Field, NonNegativeInt, model_validator

from geomag.config.schema.base import Settings, Several
from geomag.config.schema.data import DataConfig, PromptConfig, TextEncoderConfig
from geomag.config.schema.evaluation import PredictConfig, ReportConfig, ScoreConfig
from geomag.config.schema.model import (
    AdapterConfig,
    DecoderConfig,
    EncoderConfig,
    MagCropConfig,
    VlmConfig,
)
from geomag.config.schema.training import BaseConfig, CeMean, GranularityConfig, TrainConfig

__all__ = [
    "AdapterConfig",
    "BaseConfig",
    "CeMean",
    "DataConfig",
    "DecoderConfig",
    "EncoderConfig",
    "GranularityConfig",
    "MagCropConfig",
    "PredictConfig",
    "Profile",
    "PromptConfig",
    "ReportConfig",
    "ScoreConfig",
    "TextEncoderConfig",
    "TrainConfig",
    "VlmConfig",
]


class Profile(Settings):
    """All settings of one size of GeoMag."""

    name: str = Field(description="What pages and runs call this size.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the model runs; ``auto``: a GPU if there is one."
    )
    benchmarks: Several[str] = Field(
        default=(),
        description="Those of the ten that this line is about; empty: all. The others are not "
        "chosen, which is not the same as missing.",
    )
    threads: NonNegativeInt = Field(
        default=0,
        description="CPU threads of one process; 0: what the environment says, else all cores.",
    )
    data: DataConfig = DataConfig()
    text_encoder: TextEncoderConfig = TextEncoderConfig()
    prompt: PromptConfig = PromptConfig()
    vlm: VlmConfig = VlmConfig()
    encoder: EncoderConfig = EncoderConfig()
    decoder: DecoderConfig = DecoderConfig()
    adapter: AdapterConfig = AdapterConfig()
    base: BaseConfig = BaseConfig()
    granularity: GranularityConfig = GranularityConfig()
    magcrop: MagCropConfig = MagCropConfig()
    train: TrainConfig = TrainConfig()
    predict: PredictConfig = PredictConfig()
    score: ScoreConfig = ScoreConfig()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.adapter.projector and self.magcrop.fewer == "prune":
            raise ValueError(
                "adapter.projector trains on features before they are projected, and "
                "magcrop.fewer prune merges tokens after: choose one"
            )
        return self
