"""Vision towers other than CLIP's: any encoder of transformers, and EfficientNet-Lite.

LLaVA's modules take whatever ``vision_config`` names. What differs between encoders is how they
want their pixels, whether they put a class token before the patches, and which of their layers is
read; the first stands in the configuration as ``image_mean`` and ``image_std``.
"""

import inspect
from typing import Any

import torch
from torch import Tensor
from transformers import LlavaModel

from geomag.model.efficientnet import EfficientNetLiteConfig, EfficientNetLiteModel

__all__ = ["EfficientNetLiteConfig", "EfficientNetLiteModel", "normalised", "other_features"]


def normalised(pixels: Tensor, config: Any) -> Tensor:
    """Pixels ``[B, 3, H, W]`` in [0, 1] as the tower of this configuration was trained on them."""
    mean = pixels.new_tensor(tuple(config.image_mean)).view(1, 3, 1, 1)
    std = pixels.new_tensor(tuple(config.image_std)).view(1, 3, 1, 1)
    return (pixels - mean) / std


def other_features(llava: LlavaModel, pixels: Tensor) -> Tensor:
    """Patch features of a tower that is not CLIP's, each view an image of its own.

    Args:
        llava: Its tower and feature layer are used.
        pixels: ``[B, 3, S, S]`` in [0, 1], S a multiple of the patch.

    Returns:
        ``[B, n ** 2, C]``, row-major; a class token and registers before them are dropped.
    """
    tower, config = llava.vision_tower, llava.config.vision_config
    given = normalised(pixels, config).to(next(tower.parameters()).dtype)
    options: dict[str, Any] = {"output_hidden_states": True}
    if "interpolate_pos_encoding" in inspect.signature(tower.forward).parameters:
        options["interpolate_pos_encoding"] = pixels.shape[-1] != config.image_size
    with torch.no_grad():
        states = tower(given, **options).hidden_states
    layer = llava.config.vision_feature_layer
    patches = (pixels.shape[-1] // config.patch_size) ** 2
    return states[layer][:, -patches:]  # type: ignore[no-any-return]
