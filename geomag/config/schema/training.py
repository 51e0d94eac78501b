"""The three trainings: base models, granularity classifier, and all of GeoMag jointly."""

from dataclasses import dataclass
from typing import Annotated, Literal

from geomag.config.schema.checks import NOT_NEGATIVE, POSITIVE, SHARE, token_budget

CeMean = Literal["token", "answer", "row"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseConfig:
    """Training of the tiny base models on scenes of their own (sample profile only)."""

    n_scenes: Annotated[int, POSITIVE] = 4000
    """Scenes that are drawn for the base models."""
    look_steps: Annotated[int, NOT_NEGATIVE] = 600
    """Updates of the dense labels that teach the VLM's tower to see."""
    read_steps: Annotated[int, NOT_NEGATIVE] = 240
    """Updates of the text-only phase that teaches the language model what a question names."""
    steps: Annotated[int, NOT_NEGATIVE] = 1800
    """Updates of the lessons, where the VLM looks and answers."""
    batch: Annotated[int, POSITIVE] = 16
    """Images per update of the lessons, five questions each."""
    lr: Annotated[float, POSITIVE] = 1.5e-3
    """Largest learning rate of the base models."""
    question_steps: Annotated[int, NOT_NEGATIVE] = 2000
    """Updates after them, on short answers and on looking in vain for what is not there."""
    recall_steps: Annotated[int, NOT_NEGATIVE] = 300
    """Updates at half the rate after those, on answers of any length again."""
    sam_look_steps: Annotated[int, NOT_NEGATIVE] = 300
    """Updates of the dense labels that teach the SAM2-class encoder to see."""
    sam_steps: Annotated[int, NOT_NEGATIVE] = 4000
    """Updates of the promptable segmentation of the SAM2-class model."""
    save_every: Annotated[int, POSITIVE] = 200
    """Updates between checkpoints of a base model."""
    alignment: Annotated[float, NOT_NEGATIVE] = 1.0
    """Weight of -log(attention mass inside the target); 0 reproduces the paper."""
    projector_steps: Annotated[int, POSITIVE] = 400
    """Updates of a composed VLM's projector, alone, on the training captions (LLaVA's stage 1)."""
    projector_batch: Annotated[int, POSITIVE] = 8
    """Images per update, all captions of each."""
    projector_lr: Annotated[float, POSITIVE] = 1.0e-3
    """Learning rate of the projector."""
    seed: Annotated[int, NOT_NEGATIVE] = 11
    """Seed of scenes and first weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GranularityConfig:
    """Task Granularity Classifier (paper 3.2.1)."""

    hidden: Annotated[tuple[int, ...], POSITIVE] = (256, 128)
    """Widths of the hidden layers; the paper has 256 and 128."""
    dropout: Annotated[float, SHARE] = 0.1
    """Share of hidden units that training leaves out."""
    lr: Annotated[float, POSITIVE] = 1.0e-3
    """Learning rate of the classifier."""
    batch: Annotated[int, POSITIVE] = 256
    """Prompts per update."""
    epochs: Annotated[int, POSITIVE] = 60
    """Most passes over the prompts."""
    patience: Annotated[int, POSITIVE] = 8
    """Passes without a better held-out loss before training ends."""
    tau: Annotated[float, SHARE] = 0.0
    """Below this confidence the image is left as it is; 0: plain argmax, as the paper."""
    seed: Annotated[int, NOT_NEGATIVE] = 3
    """Seed of split, order and first weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Joint training of LoRA, [SEG] rows, Text Projection and Pixel Decoder."""

    steps: Annotated[int, POSITIVE] = 1500
    """Updates of the joint training."""
    batch: Annotated[int, POSITIVE] = 16
    """Records per update."""
    micro_batch: Annotated[int, POSITIVE] = 16
    """Records in one pass; a divisor of ``batch``."""
    lr: Annotated[float, POSITIVE] = 1.0e-3
    """Largest learning rate, after the warm-up."""
    warmup: Annotated[int, NOT_NEGATIVE] = 100
    """Updates in which the learning rate rises."""
    schedule: Literal["linear", "cosine"] = "linear"
    """How the learning rate falls to 0 after the warm-up."""
    betas: Annotated[tuple[float, float], SHARE] = (0.9, 0.95)
    """AdamW's averages of gradient and of its square."""
    weight_decay: Annotated[float, NOT_NEGATIVE] = 0.0
    """AdamW's weight decay."""
    clip: Annotated[float, POSITIVE] = 1.0
    """Largest norm of a gradient; a longer one is shortened."""
    ce: Annotated[float, NOT_NEGATIVE] = 1.0
    """Weight of the cross-entropy of answer tokens."""
    ce_mean: CeMean = "token"
    """What the cross-entropy is the mean of: all answer tokens, each answer's own mean, or each
    row's mean over its answers."""
    gradient_checkpointing: bool = False
    """Keep each decoder layer's input alone and compute the rest again in the backward pass: a
    fraction of the memory for a third more time, the same gradients."""
    questions: Annotated[int, POSITIVE] = 1
    """Most questions about one look at an image in one row; they do not see each other."""
    bce: Annotated[float, NOT_NEGATIVE] = 2.0
    """Weight of the binary cross-entropy of masks."""
    dice: Annotated[float, NOT_NEGATIVE] = 0.5
    """Weight of the Dice loss of masks."""
    point: Annotated[float, NOT_NEGATIVE] = 0.5
    """Weight of our distillation of SAM2's point prompts into the projection; 0: the paper."""
    alignment: Annotated[float, NOT_NEGATIVE] = 0.2
    """Weight of our attention alignment on the rows that begin a mask; 0 reproduces the paper."""
    most_records: Annotated[int, NOT_NEGATIVE] = 0
    """Most training records of one benchmark, thinned at random; 0 keeps all."""
    share_referring: Annotated[float, SHARE] = 0.45
    """Parts of a batch by task; benchmarks of one task share its part equally."""
    share_gcg: Annotated[float, SHARE] = 0.1
    """Part of grounded conversation."""
    share_vqa: Annotated[float, SHARE] = 0.2
    """Part of questions."""
    share_roc: Annotated[float, SHARE] = 0.15
    """Part of object classification."""
    share_caption: Annotated[float, SHARE] = 0.1
    """Part of captions."""
    seed: Annotated[int, NOT_NEGATIVE] = 5
    """Seed of the order of records and of first weights."""
    arm: Literal["magcrop", "plain"] = "magcrop"
    """Whether training sees windows, or every image plain."""
    windows: Literal["probe", "drawn"] = "probe"
    """``probe``: those that Eq 4 finds, as the paper; ``drawn``: the whole image, and beside it a
    window drawn around what is to be drawn (of questions and boxes: Eq 4's)."""
    budgets: Annotated[tuple[int, ...], NOT_NEGATIVE] = ()
    """Budgets of visual tokens, one drawn for each image, so that one adapter serves them all;
    empty: ``magcrop.budget``."""
    held_gb: Annotated[float, NOT_NEGATIVE] = 8.0
    """Most memory, in 10^9 bytes, for samples that are prepared once, before the first update; what
    all updates draw is streamed if it takes more (0: always)."""
    save_every: Annotated[int, POSITIVE] = 200
    """Optimizer updates between checkpoints."""
    log_every: Annotated[int, POSITIVE] = 20
    """Updates between lines of the log."""

    def __post_init__(self) -> None:
        token_budget("train", **{f"budgets[{i}]": value for i, value in enumerate(self.budgets)})
        if self.batch % self.micro_batch:
            raise ValueError(
                f"train.batch {self.batch} is not a multiple of micro_batch {self.micro_batch}"
            )
