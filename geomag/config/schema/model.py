"""The parts of the model and their sizes."""

from dataclasses import dataclass
from typing import Annotated, Literal

from geomag.config.schema.checks import NOT_NEGATIVE, PORTION, POSITIVE, SHARE, token_budget


@dataclass(frozen=True, slots=True, kw_only=True)
class VlmConfig:
    """The LLaVA-class model: sizes when trained here, a folder when pretrained, or two parts."""

    path: str = ""
    """Pretrained weights: a folder or ``package:MODULE/FOLDER``; empty: the base stage trains, or
    joins ``language`` and ``vision``."""
    language: str = ""
    """A Llama- or Qwen2-class language model, folder or ``.gguf``, that the base stage joins with
    ``vision`` (`geomag.model.compose`)."""
    language_sha256: str = ""
    """What its file must hash to; empty: not looked at."""
    vision: str = ""
    """A vision encoder: a folder of transformers, or EfficientNet-Lite0's ``.pth``."""
    vision_sha256: str = ""
    """What the encoder's file must hash to; empty: not looked at."""
    image_px: Annotated[int, POSITIVE] = 168
    """Side of the square input of the vision tower."""
    patch_px: Annotated[int, POSITIVE] = 14
    """Side of a patch of the vision tower, in pixels; a divisor of ``image_px``."""
    vision_width: Annotated[int, POSITIVE] = 96
    """Channels of a trained vision tower."""
    vision_layers: Annotated[int, POSITIVE] = 4
    """Layers of a trained vision tower."""
    vision_heads: Annotated[int, POSITIVE] = 4
    """Attention heads of a trained vision tower."""
    text_width: Annotated[int, POSITIVE] = 128
    """Channels of a trained language model."""
    text_layers: Annotated[int, POSITIVE] = 4
    """Layers of a trained language model."""
    text_heads: Annotated[int, POSITIVE] = 4
    """Attention heads of a trained language model."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the frozen weights; what is trained stays in float32."""

    @property
    def is_composed(self) -> bool:
        """Whether the base stage joins two pretrained parts."""
        return bool(self.language)

    def __post_init__(self) -> None:
        if bool(self.language) != bool(self.vision) or (self.path and self.language):
            raise ValueError("vlm wants path alone, language and vision together, or none of them")
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
    image_px: Annotated[int, POSITIVE] = 256
    """Side of the square input; 1024 for the real SAM2."""
    embed_dim: Annotated[int, POSITIVE] = 16
    """Channels of the first stage of a trained encoder."""
    neck_width: Annotated[int, POSITIVE] = 128
    """Channels of the FPN and of the mask decoder; 256 for the real SAM2."""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """Precision of SAM2's products on a GPU; masks of ``tf32`` differ in 0.03 % of pixels, of
    ``bfloat16`` in 0.3 to 0.4 % (docs/performance.md)."""
    input: Literal["adjusted", "original", "crop"] = "adjusted"
    """What the encoder sees: I', I, or the crop with the mask pasted back.

    See protocols/model#views.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """Pixel decoder of Eq 1."""

    kind: Literal["sam2_ms", "per_level", "single"] = "sam2_ms"
    """How Eq 1 is read: SAM2's decoder at three levels, a pass for each level, or SAM2's own.

    See protocols/model#pixel-decoder.
    """
    omega_norm: Literal["none", "softmax"] = "none"
    """Whether the weights of the levels are free, or a softmax of what is learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterConfig:
    """LoRA on the language model (paper 4.1) and the new token rows."""

    rank: Annotated[int, POSITIVE] = 8
    """Rank r of the update; the paper has 8."""
    alpha: Annotated[int, POSITIVE] = 16
    """Scale of the update, which is multiplied by alpha / rank."""
    dropout: Annotated[float, SHARE] = 0.0
    """Share of the inputs of an update that training leaves out."""
    targets: Literal["qv", "all_linear"] = "qv"
    """Projections that get an update: queries and values, or all of the language model."""
    projector: bool = False
    """Whether the projector goes on training with LoRA (LLaVA's stage 2)."""
    n_seg: Annotated[int, POSITIVE] = 3
    """N of Eq 1: [SEG] tokens per target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MagCropConfig:
    """Probe, window and adjustment (paper 3.2; protocols/model#views)."""

    layer: int = -1
    """Decoder layer whose attention is weighted; the paper takes the last."""
    loss: Literal["log_p", "ce_literal", "logit"] = "log_p"
    """What the probe differentiates: the first token's log probability, the loss, or the logit."""
    weights: Literal["base", "current"] = "base"
    """Whose attention is probed: the base model's, or the adapted one's (docs/decisions/0002)."""
    sizes: Annotated[tuple[float, ...], PORTION] = (1 / 6, 1 / 4, 1 / 3, 5 / 12, 1 / 2, 2 / 3)
    """Window sides as shares of min(W, H)."""
    rule: Literal["paper", "vicrop"] = "paper"
    """Whose window search: the paper's wording, or ViCrop's (protocols/model#window)."""
    gamma: Annotated[float, SHARE] = 0.5
    """Score is divided by area ** gamma; the paper's wording is 0."""
    delta: Literal["cell", "half"] = "half"
    """Shift of the neighbouring windows: one cell, or half a window."""
    min_px: Annotated[int, POSITIVE] = 64
    """Least side of a window in pixels."""
    margin: Annotated[float, SHARE] = 0.0
    """Share of its own side by which a window grows on each side."""
    gate: Annotated[float, SHARE] = 0.0
    """Windows that hold less than this share of the heatmap are doubtful: no crop; 0 is off."""
    view: Literal["stitch", "tokens"] = "stitch"
    """``stitch``: Eq 2 and 3 to the letter; ``tokens``: mixed-resolution views."""
    budget: Annotated[int, NOT_NEGATIVE] = 0
    """Most visual tokens of an answer, with windows or without; 0: those of ``vlm.image_px``."""
    image_budget: Annotated[int, NOT_NEGATIVE] = 0
    """The same at image level in the ``tokens`` view: 49 is I_100x100 without bringing it back to
    full size; 0: Eq 2."""
    fewer: Literal["native", "pooled", "prune"] = "native"
    """How a view gets fewer tokens: cut smaller; read at full size and its features averaged; or
    the whole image's tokens of most heat kept and the others merged
    (protocols/model#visual-tokens)."""
    dd: Literal["literal", "pyramid"] = "literal"
    """How D(D(I)) is read: D twice, or a sixteenth (protocols/model#views)."""
    filter: Literal["bicubic", "bilinear"] = "bicubic"
    """Filter of D, which the paper leaves open."""
    image_level_px: Annotated[int, POSITIVE] = 100
    """Side of the image at image level, in pixels: I_100x100 of Eq 2."""
    gcg_bypass: bool = True
    """Whether grounded conversation is answered without windows (paper 4.3)."""
    probe: Literal["attention", "mask", "attention+mask"] = "attention"
    """Where predicted windows come from: Eq 4, the plain answer's mask (in a large image else
    Eq 4), or that and else Eq 4."""
    mask_gate: Annotated[float, SHARE] = 0.0
    """A first mask of a lower mean probability is doubtful and gives no window; 0 is off."""
    answer_selection: Literal["window", "confidence"] = "window"
    """Which answer stands: the one through the window, as the paper, or the one of
    higher confidence of that and the plain one."""
    answer_margin: Annotated[float, SHARE] = 0.05
    """Least lead of the window's answer, in mean probability of its mask or of its words."""
    answer_agreement: Annotated[float, SHARE] = 0.7
    """Two masks with a higher IoU are of one object: the window's, magnified, stands; 1 is off."""
    probe_px: Annotated[int, NOT_NEGATIVE] = 0
    """Side of the probe's input, whole patches; 0: the VLM's own. Half costs a third."""
    large_px: Annotated[int, NOT_NEGATIVE] = 2048
    """An image with a longer side is probed in parts and SAM2 sees its window (Fig 4); 0: never."""
    large_probe: Literal["tiles", "pyramid", "global"] = "tiles"
    """Parts of a large image that are probed: every tile, or the whole and then C_1, or as any
    other image."""
    tile_px: Annotated[int, POSITIVE] = 1024
    """Most rows of a tile."""

    def __post_init__(self) -> None:
        limits = {"budget": self.budget, "image_budget": self.image_budget}
        token_budget("magcrop", **{name: value for name, value in limits.items() if value != 0})
