"""The three trainings: base models, granularity classifier, and all of GeoMag jointly."""

from dataclasses import dataclass
from typing import Literal

from geomag.config.schema.checks import positive, share, token_budget

CeMean = Literal["token", "answer", "row"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseConfig:
    """Training of the tiny base models on scenes of their own (sample profile only)."""

    n_scenes: int = 4000
    look_steps: int = 600
    """Updates of the dense labels that teach the VLM's tower to see."""
    read_steps: int = 240
    """Updates of the text-only phase that teaches the language model what a question names."""
    steps: int = 1800
    """Updates of the lessons, where the VLM looks and answers."""
    batch: int = 16
    """Images per update of the lessons, five questions each."""
    lr: float = 1.5e-3
    question_steps: int = 2000
    """Updates after them, on short answers and on looking in vain for what is not there."""
    recall_steps: int = 300
    """Updates at half the rate after those, on answers of any length again."""
    sam_look_steps: int = 300
    sam_steps: int = 4000
    """Updates of the promptable segmentation of the SAM2-class model."""
    save_every: int = 200
    alignment: float = 1.0
    """Weight of -log(attention mass inside the target); 0 reproduces the paper."""
    projector_steps: int = 400
    """Updates of a composed VLM's projector, alone, on the training captions (LLaVA's stage 1)."""
    projector_batch: int = 8
    """Images per update, all captions of each."""
    projector_lr: float = 1.0e-3
    seed: int = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class GranularityConfig:
    """Task Granularity Classifier (paper 3.2.1)."""

    hidden: tuple[int, ...] = (256, 128)
    dropout: float = 0.1
    lr: float = 1.0e-3
    batch: int = 256
    epochs: int = 60
    patience: int = 8
    tau: float = 0.0
    """Below this confidence the image is left as it is; 0: plain argmax, as the paper."""
    seed: int = 3

    def __post_init__(self) -> None:
        share("granularity", dropout=self.dropout, tau=self.tau)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Joint training of LoRA, [SEG] rows, Text Projection and Pixel Decoder."""

    steps: int = 1500
    batch: int = 16
    micro_batch: int = 16
    lr: float = 1.0e-3
    warmup: int = 100
    schedule: Literal["linear", "cosine"] = "linear"
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    clip: float = 1.0
    ce: float = 1.0
    ce_mean: CeMean = "token"
    """What the cross-entropy is the mean of: all answer tokens, each answer's own mean, or each
    row's mean over its answers."""
    gradient_checkpointing: bool = False
    """Keep each decoder layer's input alone and compute the rest again in the backward pass: a
    fraction of the memory for a third more time, the same gradients."""
    questions: int = 1
    """Most questions about one look at an image in one row; they do not see each other."""
    bce: float = 2.0
    dice: float = 0.5
    point: float = 0.5
    """Weight of our distillation of SAM2's point prompts into the projection; 0: the paper."""
    alignment: float = 0.2
    """Weight of our attention alignment on the rows that begin a mask; 0 reproduces the paper."""
    most_records: int = 0
    """Most training records of one benchmark, thinned at random; 0 keeps all."""
    share_referring: float = 0.45
    """Parts of a batch by task; benchmarks of one task share its part equally."""
    share_gcg: float = 0.1
    share_vqa: float = 0.2
    share_roc: float = 0.15
    share_caption: float = 0.1
    seed: int = 5
    arm: Literal["magcrop", "plain"] = "magcrop"
    windows: Literal["probe", "drawn"] = "probe"
    """``probe``: those that Eq 4 finds, as the paper; ``drawn``: the whole image, and beside it a
    window drawn around what is to be drawn (of questions and boxes: Eq 4's)."""
    budgets: tuple[int, ...] = ()
    """Budgets of visual tokens, one drawn for each image, so that one adapter serves them all;
    empty: ``magcrop.budget``."""
    held_gb: float = 8.0
    """Most memory, in 10^9 bytes, for samples that are prepared once, before the first update; what
    all updates draw is streamed if it takes more (0: always)."""
    save_every: int = 200
    """Optimizer updates between checkpoints."""
    log_every: int = 20

    def __post_init__(self) -> None:
        positive(
            "train", steps=self.steps, batch=self.batch, micro_batch=self.micro_batch, lr=self.lr
        )
        positive("train", questions=self.questions)
        if self.held_gb < 0:
            raise ValueError(f"train.held_gb must not be negative, got {self.held_gb}")
        token_budget("train", **{f"budgets[{i}]": value for i, value in enumerate(self.budgets)})
        if self.batch % self.micro_batch:
            raise ValueError(
                f"train.batch {self.batch} is not a multiple of micro_batch {self.micro_batch}"
            )
