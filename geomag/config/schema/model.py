"""The parts of the model and their sizes."""

from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from geomag.config.schema.base import Portion, Settings, Several, Share, token_budget


class VlmConfig(Settings):
    """The LLaVA-class model: sizes when trained here, a folder when pretrained, or two parts."""

    path: str = Field(
        default="",
        description="Pretrained weights: a folder or ``package:MODULE/FOLDER``; empty: the base "
        "stage trains, or joins ``language`` and ``vision``.",
    )
    language: str = Field(
        default="",
        description="A Llama- or Qwen2-class language model, folder or ``.gguf``, that the base "
        "stage joins with ``vision`` (`geomag.model.compose`).",
    )
    language_sha256: str = Field(
        default="", description="What its file must hash to; empty: not looked at."
    )
    vision: str = Field(
        default="",
        description="A vision encoder: a folder of transformers, or EfficientNet-Lite0's ``.pth``.",
    )
    vision_sha256: str = Field(
        default="", description="What the encoder's file must hash to; empty: not looked at."
    )
    image_px: PositiveInt = Field(
        default=168, description="Side of the square input of the vision tower."
    )
    patch_px: PositiveInt = Field(
        default=14,
        description="Side of a patch of the vision tower, in pixels; an image is read at as many "
        "whole ones as ``image_px`` has.",
    )
    vision_width: PositiveInt = Field(default=96, description="Channels of a trained vision tower.")
    vision_layers: PositiveInt = Field(default=4, description="Layers of a trained vision tower.")
    vision_heads: PositiveInt = Field(
        default=4, description="Attention heads of a trained vision tower."
    )
    text_width: PositiveInt = Field(
        default=128, description="Channels of a trained language model."
    )
    text_layers: PositiveInt = Field(default=4, description="Layers of a trained language model.")
    text_heads: PositiveInt = Field(
        default=4, description="Attention heads of a trained language model."
    )
    dtype: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="Precision of the frozen weights; what is trained stays in float32.",
    )

    @property
    def is_composed(self) -> bool:
        """Whether the base stage joins two pretrained parts."""
        return bool(self.language)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if bool(self.language) != bool(self.vision) or (self.path and self.language):
            raise ValueError("vlm wants path alone, language and vision together, or none of them")
        if self.image_px < self.patch_px:
            raise ValueError(
                f"vlm.image_px {self.image_px} is less than a patch, vlm.patch_px {self.patch_px}"
            )
        return self


class EncoderConfig(Settings):
    """SAM2's Hiera image encoder (frozen) and its neck."""

    path: str = Field(
        default="",
        description="Folder or .pt of pretrained SAM2 weights, or ``package:MODULE/FOLDER``; "
        "empty: the base stage trains a tiny one.",
    )
    image_px: PositiveInt = Field(
        default=256, description="Side of the square input; 1024 for the real SAM2."
    )
    embed_dim: PositiveInt = Field(
        default=16, description="Channels of the first stage of a trained encoder."
    )
    neck_width: PositiveInt = Field(
        default=128,
        description="Channels of the FPN and of the mask decoder; 256 for the real SAM2.",
    )
    precision: Literal["float32", "tf32", "bfloat16"] = Field(
        default="float32",
        description="Precision of SAM2's products on a GPU; masks of ``tf32`` differ in 0.03 % of "
        "pixels, of ``bfloat16`` in 0.3 to 0.4 % (docs/performance.md).",
    )
    input: Literal["adjusted", "original", "crop"] = Field(
        default="adjusted",
        description="What the encoder sees: I', I, or the crop with the mask pasted back. See "
        "protocols/model#views.",
    )


class DecoderConfig(Settings):
    """Pixel decoder of Eq 1."""

    kind: Literal["sam2_ms", "per_level", "single"] = Field(
        default="sam2_ms",
        description="How Eq 1 is read: SAM2's decoder at three levels, a pass for each level, or "
        "SAM2's own. See protocols/model#pixel-decoder.",
    )
    omega_norm: Literal["none", "softmax"] = Field(
        default="none",
        description="Whether the weights of the levels are free, or a softmax of what is learned.",
    )


class AdapterConfig(Settings):
    """LoRA on the language model (paper 4.1) and the new token rows."""

    rank: PositiveInt = Field(default=8, description="Rank r of the update; the paper has 8.")
    alpha: PositiveInt = Field(
        default=16, description="Scale of the update, which is multiplied by alpha / rank."
    )
    dropout: Share = Field(
        default=0.0, description="Share of the inputs of an update that training leaves out."
    )
    targets: Literal["qv", "all_linear"] = Field(
        default="qv",
        description="Projections that get an update: queries and values, or all of the language "
        "model.",
    )
    projector: bool = Field(
        default=False,
        description="Whether the projector goes on training with LoRA (LLaVA's stage 2).",
    )
    n_seg: PositiveInt = Field(default=3, description="N of Eq 1: [SEG] tokens per target.")


class MagCropConfig(Settings):
    """Probe, window and adjustment (paper 3.2; protocols/model#views)."""

    layer: int = Field(
        default=-1,
        description="Decoder layer whose attention is weighted; the paper takes the last.",
    )
    loss: Literal["log_p", "ce_literal", "logit"] = Field(
        default="log_p",
        description="What the probe differentiates: the first token's log probability, the loss, "
        "or the logit.",
    )
    weights: Literal["base", "current"] = Field(
        default="base",
        description="Whose attention is probed: the base model's, or the adapted one's "
        "(docs/decisions/0002).",
    )
    sizes: Several[Portion] = Field(
        default=(1 / 6, 1 / 4, 1 / 3, 5 / 12, 1 / 2, 2 / 3),
        description="Window sides as shares of min(W, H).",
    )
    rule: Literal["paper", "vicrop"] = Field(
        default="paper",
        description="Whose window search: the paper's wording, or ViCrop's "
        "(protocols/model#window).",
    )
    gamma: Share = Field(
        default=0.5, description="Score is divided by area ** gamma; the paper's wording is 0."
    )
    delta: Literal["cell", "half"] = Field(
        default="half", description="Shift of the neighbouring windows: one cell, or half a window."
    )
    min_px: PositiveInt = Field(default=64, description="Least side of a window in pixels.")
    margin: Share = Field(
        default=0.0, description="Share of its own side by which a window grows on each side."
    )
    gate: Share = Field(
        default=0.0,
        description="Windows that hold less than this share of the heatmap are doubtful: no crop; "
        "0 is off.",
    )
    view: Literal["stitch", "tokens"] = Field(
        default="stitch",
        description="``stitch``: Eq 2 and 3 to the letter; ``tokens``: mixed-resolution views.",
    )
    budget: NonNegativeInt = Field(
        default=0,
        description="Most visual tokens of an answer, with windows or without; 0: those of "
        "``vlm.image_px``.",
    )
    image_budget: NonNegativeInt = Field(
        default=0,
        description="The same at image level in the ``tokens`` view: 49 is I_100x100 without "
        "bringing it back to full size; 0: Eq 2.",
    )
    fewer: Literal["native", "pooled", "prune"] = Field(
        default="native",
        description="How a view gets fewer tokens: cut smaller; read at full size and its "
        "features averaged; or the whole image's tokens of most heat kept and the others merged "
        "(protocols/model#visual-tokens).",
    )
    dd: Literal["literal", "pyramid"] = Field(
        default="literal",
        description="How D(D(I)) is read: D twice, or a sixteenth (protocols/model#views).",
    )
    filter: Literal["bicubic", "bilinear"] = Field(
        default="bicubic", description="Filter of D, which the paper leaves open."
    )
    image_level_px: PositiveInt = Field(
        default=100, description="Side of the image at image level, in pixels: I_100x100 of Eq 2."
    )
    gcg_bypass: bool = Field(
        default=True,
        description="Whether grounded conversation is answered without windows (paper 4.3).",
    )
    probe: Literal["attention", "mask", "attention+mask"] = Field(
        default="attention",
        description="Where predicted windows come from: Eq 4, the plain answer's mask (in a large "
        "image else Eq 4), or that and else Eq 4.",
    )
    mask_gate: Share = Field(
        default=0.0,
        description="A first mask of a lower mean probability is doubtful and gives no window; 0 "
        "is off.",
    )
    answer_selection: Literal["window", "confidence"] = Field(
        default="window",
        description="Which answer stands: the one through the window, as the paper, or the one of "
        "higher confidence of that and the plain one.",
    )
    answer_margin: Share = Field(
        default=0.05,
        description="Least lead of the window's answer, in mean probability of its mask or of its "
        "words.",
    )
    answer_agreement: Share = Field(
        default=0.7,
        description="Two masks with a higher IoU are of one object: the window's, magnified, "
        "stands; 1 is off.",
    )
    probe_px: NonNegativeInt = Field(
        default=0,
        description="Side of the probe's input, whole patches; 0: the VLM's own. Half costs a "
        "third.",
    )
    large_px: NonNegativeInt = Field(
        default=2048,
        description="An image with a longer side is probed in parts and SAM2 sees its window (Fig "
        "4); 0: never.",
    )
    large_probe: Literal["tiles", "pyramid", "global"] = Field(
        default="tiles",
        description="Parts of a large image that are probed: every tile, or the whole and then "
        "C_1, or as any other image.",
    )
    tile_px: PositiveInt = Field(default=1024, description="Most rows of a tile.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        limits = {"budget": self.budget, "image_budget": self.image_budget}
        token_budget("magcrop", **{name: value for name, value in limits.items() if value != 0})
        return self
