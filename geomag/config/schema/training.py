"""The three trainings: base models, granularity classifier, and all of GeoMag jointly."""

from typing import Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from geomag.config.schema.base import Pair, Settings, Several, Share, token_budget

CeMean = Literal["token", "answer", "row"]


class BaseConfig(Settings):
    """Training of the tiny base models on scenes of their own (sample profile only)."""

    n_scenes: PositiveInt = Field(
        default=4000, description="Scenes that are drawn for the base models."
    )
    look_steps: NonNegativeInt = Field(
        default=600, description="Updates of the dense labels that teach the VLM's tower to see."
    )
    read_steps: NonNegativeInt = Field(
        default=240,
        description="Updates of the text-only phase that teaches the language model what a "
        "question names.",
    )
    steps: NonNegativeInt = Field(
        default=1800, description="Updates of the lessons, where the VLM looks and answers."
    )
    batch: PositiveInt = Field(
        default=16, description="Images per update of the lessons, five questions each."
    )
    lr: PositiveFloat = Field(
        default=1.5e-3, description="Largest learning rate of the base models."
    )
    question_steps: NonNegativeInt = Field(
        default=2000,
        description="Updates after them, on short answers and on looking in vain for what is not "
        "there.",
    )
    recall_steps: NonNegativeInt = Field(
        default=300,
        description="Updates at half the rate after those, on answers of any length again.",
    )
    sam_look_steps: NonNegativeInt = Field(
        default=300,
        description="Updates of the dense labels that teach the SAM2-class encoder to see.",
    )
    sam_steps: NonNegativeInt = Field(
        default=4000, description="Updates of the promptable segmentation of the SAM2-class model."
    )
    save_every: PositiveInt = Field(
        default=200, description="Updates between checkpoints of a base model."
    )
    alignment: NonNegativeFloat = Field(
        default=1.0,
        description="Weight of -log(attention mass inside the target); 0 reproduces the paper.",
    )
    projector_steps: PositiveInt = Field(
        default=400,
        description="Updates of a composed VLM's projector, alone, on the training captions "
        "(LLaVA's stage 1).",
    )
    projector_batch: PositiveInt = Field(
        default=8, description="Images per update, all captions of each."
    )
    projector_lr: PositiveFloat = Field(
        default=1.0e-3, description="Learning rate of the projector."
    )
    seed: NonNegativeInt = Field(default=11, description="Seed of scenes and first weights.")


class GranularityConfig(Settings):
    """Task Granularity Classifier (paper 3.2.1)."""

    hidden: Several[PositiveInt] = Field(
        default=(256, 128), description="Widths of the hidden layers; the paper has 256 and 128."
    )
    dropout: Share = Field(
        default=0.1, description="Share of hidden units that training leaves out."
    )
    lr: PositiveFloat = Field(default=1.0e-3, description="Learning rate of the classifier.")
    batch: PositiveInt = Field(default=256, description="Prompts per update.")
    epochs: PositiveInt = Field(default=60, description="Most passes over the prompts.")
    patience: PositiveInt = Field(
        default=8, description="Passes without a better held-out loss before training ends."
    )
    tau: Share = Field(
        default=0.0,
        description="Below this confidence the image is left as it is; 0: plain argmax, as the "
        "paper.",
    )
    seed: NonNegativeInt = Field(default=3, description="Seed of split, order and first weights.")


class TrainConfig(Settings):
    """Joint training of LoRA, [SEG] rows, Text Projection and Pixel Decoder."""

    steps: PositiveInt = Field(default=1500, description="Updates of the joint training.")
    batch: PositiveInt = Field(default=16, description="Records per update.")
    micro_batch: PositiveInt = Field(
        default=16, description="Records in one pass; a divisor of ``batch``."
    )
    lr: PositiveFloat = Field(
        default=1.0e-3, description="Largest learning rate, after the warm-up."
    )
    warmup: NonNegativeInt = Field(
        default=100, description="Updates in which the learning rate rises."
    )
    schedule: Literal["linear", "cosine"] = Field(
        default="linear", description="How the learning rate falls to 0 after the warm-up."
    )
    betas: Pair[Share] = Field(
        default=(0.9, 0.95), description="AdamW's averages of gradient and of its square."
    )
    weight_decay: NonNegativeFloat = Field(default=0.0, description="AdamW's weight decay.")
    clip: PositiveFloat = Field(
        default=1.0, description="Largest norm of a gradient; a longer one is shortened."
    )
    ce: NonNegativeFloat = Field(
        default=1.0, description="Weight of the cross-entropy of answer tokens."
    )
    ce_mean: CeMean = Field(
        default="token",
        description="What the cross-entropy is the mean of: all answer tokens, each answer's own "
        "mean, or each row's mean over its answers.",
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Keep each decoder layer's input alone and compute the rest again in the "
        "backward pass: a fraction of the memory for a third more time, the same gradients.",
    )
    questions: PositiveInt = Field(
        default=1,
        description="Most questions about one look at an image in one row; they do not see each "
        "other.",
    )
    bce: NonNegativeFloat = Field(
        default=2.0, description="Weight of the binary cross-entropy of masks."
    )
    dice: NonNegativeFloat = Field(default=0.5, description="Weight of the Dice loss of masks.")
    point: NonNegativeFloat = Field(
        default=0.5,
        description="Weight of our distillation of SAM2's point prompts into the projection; 0: "
        "the paper.",
    )
    alignment: NonNegativeFloat = Field(
        default=0.2,
        description="Weight of our attention alignment on the rows that begin a mask; 0 "
        "reproduces the paper.",
    )
    most_records: NonNegativeInt = Field(
        default=0,
        description="Most training records of one benchmark, thinned at random; 0 keeps all.",
    )
    share_referring: Share = Field(
        default=0.45,
        description="Parts of a batch by task; benchmarks of one task share its part equally.",
    )
    share_gcg: Share = Field(default=0.1, description="Part of grounded conversation.")
    share_vqa: Share = Field(default=0.2, description="Part of questions.")
    share_roc: Share = Field(default=0.15, description="Part of object classification.")
    share_caption: Share = Field(default=0.1, description="Part of captions.")
    seed: NonNegativeInt = Field(
        default=5, description="Seed of the order of records and of first weights."
    )
    arm: Literal["magcrop", "plain"] = Field(
        default="magcrop", description="Whether training sees windows, or every image plain."
    )
    windows: Literal["probe", "drawn"] = Field(
        default="probe",
        description="``probe``: those that Eq 4 finds, as the paper; ``drawn``: the whole image, "
        "and beside it a window drawn around what is to be drawn (of questions and boxes: Eq "
        "4's).",
    )
    budgets: Several[NonNegativeInt] = Field(
        default=(),
        description="Budgets of visual tokens, one drawn for each image, so that one adapter "
        "serves them all; empty: ``magcrop.budget``.",
    )
    held_gb: NonNegativeFloat = Field(
        default=8.0,
        description="Most memory, in 10^9 bytes, for samples that are prepared once, before the "
        "first update; what all updates draw is streamed if it takes more (0: always).",
    )
    save_every: PositiveInt = Field(
        default=200, description="Optimizer updates between checkpoints."
    )
    log_every: PositiveInt = Field(default=20, description="Updates between lines of the log.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        token_budget("train", **{f"budgets[{i}]": value for i, value in enumerate(self.budgets)})
        if self.batch % self.micro_batch:
            raise ValueError(
                f"train.batch {self.batch} is not a multiple of micro_batch {self.micro_batch}"
            )
        return self
