"""Every setting, with its unit, source and range; where the paper is silent stands a name."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from geomag.config.schema.checks import NOT_NEGATIVE
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All settings of one size of GeoMag."""

    name: str
    """What pages and runs call this size."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the model runs; ``auto``: a GPU if there is one."""
    benchmarks: tuple[str, ...] = ()
    """Those of the ten that this line is about; empty: all. The others are not chosen, which is
    not the same as missing."""
    threads: Annotated[int, NOT_NEGATIVE] = 0
    """CPU threads of one process; 0: what the environment says, else all cores."""
    data: DataConfig = field(default_factory=DataConfig)
    text_encoder: TextEncoderConfig = field(default_factory=TextEncoderConfig)
    prompt: PromptConfig = field(default_factory=PromptConfig)
    vlm: VlmConfig = field(default_factory=VlmConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    base: BaseConfig = field(default_factory=BaseConfig)
    granularity: GranularityConfig = field(default_factory=GranularityConfig)
    magcrop: MagCropConfig = field(default_factory=MagCropConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    predict: PredictConfig = field(default_factory=PredictConfig)
    score: ScoreConfig = field(default_factory=ScoreConfig)
    report: ReportConfig = field(default_factory=ReportConfig)

    def __post_init__(self) -> None:
        if self.adapter.projector and self.magcrop.fewer == "prune":
            raise ValueError(
                "adapter.projector trains on features before they are projected, and "
                "magcrop.fewer prune merges tokens after: choose one"
            )
