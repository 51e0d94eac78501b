"""GeoMag at the paper's widths with random weights, made on the device itself."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForImageTextToText, LlavaConfig

from geomag.bench.full_size import llava_7b, stand_in_tokenizer
from geomag.config import load_profile, override
from geomag.config.schema import Profile
from geomag.model.adapter import attach_adapter
from geomag.model.assemble import build_geomag
from geomag.model.geomag import GeoMag
from geomag.model.sam2_parts import HIERA_LARGE, Sam2Parts, Sam2Size, sample_size
from geomag.model.vlm import Vlm

IMAGE_PX = 800
"""Side of an image: RRSIS-D's and GeoPixelD's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Scale of a measurement: how large a model, and how much work."""

    device: str = "cuda"
    layers: int = 32
    """Decoder layers of the language model."""
    small: bool = False
    """Tiny widths, to try the measurement itself on a CPU."""


def profile_of(scale: Scale) -> Profile:
    """The profile `paper` on the device; at tiny sides where it is only tried."""
    device = {"device": torch.device(scale.device).type}
    if not scale.small:
        return override(load_profile("paper"), **device)
    return override(
        load_profile("paper"),
        **device,
        vlm={"image_px": 56, "dtype": "float32"},
        encoder={"image_px": 64, "neck_width": 32},
    )


def llava_config(scale: Scale) -> LlavaConfig:
    """LLaVA-1.5-7B's sizes with the wanted number of decoder layers, or tiny ones."""
    config = llava_7b()
    config.text_config.num_hidden_layers = scale.layers
    if scale.small:
        text, vision = config.text_config, config.vision_config
        text.hidden_size, text.intermediate_size, text.head_dim = 64, 128, 16
        text.num_attention_heads = text.num_key_value_heads = 4
        vision.hidden_size, vision.intermediate_size = 32, 64
        vision.num_hidden_layers, vision.num_attention_heads, vision.image_size = 3, 4, 56
        config.image_seq_length = 16
    return config


def sam2_size(scale: Scale) -> Sam2Size:
    """Hiera-large's sizes, or tiny ones."""
    return sample_size(image_px=64, embed_dim=16, neck_width=32) if scale.small else HIERA_LARGE


def random_model(scale: Scale) -> GeoMag:
    """The whole model with its adapter, in evaluation mode; nothing of it passes the CPU.

    Weights are seeded: what is measured twice is the same model.
    """
    profile = profile_of(scale)
    torch.manual_seed(0)
    with torch.device(scale.device):
        dtype = getattr(torch, profile.vlm.dtype)
        llava = AutoModelForImageTextToText.from_config(llava_config(scale), dtype=dtype)
        vlm = Vlm(llava, stand_in_tokenizer())
        attach_adapter(vlm, profile.adapter)
        sam = Sam2Parts(sam2_size(scale)).requires_grad_(False)
        model = build_geomag(profile, vlm, sam)
    model.to(scale.device).eval()
    return model


def random_image(number: int) -> NDArray[np.uint8]:
    """``[H, W, 3]``: smooth colours with some grain, a function of its number."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image = np.kron(coarse, np.ones((IMAGE_PX // 8, IMAGE_PX // 8, 1), dtype=np.uint8))
    return np.asarray(image // 2 + rng.integers(0, 128, image.shape, dtype=np.uint8))


def random_words(number: int, count: int) -> str:
    """Words of the stand-in tokenizer, one token each, a function of their number."""
    return " ".join(f"w{i}" for i in np.random.default_rng(number).integers(3, 32_000, count))
