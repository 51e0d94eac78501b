"""Views of an image to visual tokens: a tower at any side, placed in the frame of the whole image.

The stock tower takes one square at one size. A *view* is a box of the image at its own side in
pixels; the patch positions of CLIP, LLaVA's tower, are sampled from its table at the view's global
coordinates (protocols/model#visual-tokens), so a crop's tokens say where in the image they are. For
the whole image at the native side this equals the stock forward. Other towers see a view as an
image of its own (`geomag.model.towers`).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import LlavaModel

from geomag.magcrop.views import ImageView
from geomag.model.towers import other_features

CLIP = "clip_vision_model"
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def unit_box(view: ImageView, *, width: int, height: int) -> tuple[float, float, float, float]:
    """The view's box in [0, 1] of the image."""
    if view.box is None:
        return (0.0, 0.0, 1.0, 1.0)
    box = view.box
    return (box.x0 / width, box.y0 / height, box.x1 / width, box.y1 / height)


def cut(image: Tensor, view: ImageView) -> Tensor:
    """Cut a view out of an image, squashed to its side.

    Args:
        image: ``[H, W, 3]`` uint8.
        view: What to take, and the side to squash it to.

    Returns:
        ``[3, side, side]`` float in [0, 1]; bicubic with antialias.
    """
    if view.box is not None:
        x0, y0, x1, y1 = (round(v) for v in (view.box.x0, view.box.y0, view.box.x1, view.box.y1))
        image = image[y0:y1, x0:x1]
    pixels = image.permute(2, 0, 1)[None].float() / 255
    side = (view.side_px, view.side_px)
    if pixels.shape[-2:] != side:
        pixels = F.interpolate(pixels, side, mode="bicubic", antialias=True, align_corners=False)
    return pixels[0].clamp(0, 1)


def visual_tokens(llava: LlavaModel, pixels: Tensor, boxes: Tensor, *, pooled: int = 0) -> Tensor:
    """Visual tokens of views that share one side: `tower_features` through LLaVA's projector.

    Returns:
        ``[B, n ** 2, D]``, row-major, n tokens a side.
    """
    features = tower_features(llava, pixels, boxes, pooled=pooled)
    return llava.multi_modal_projector(features)  # type: ignore[no-any-return]


def tower_features(llava: LlavaModel, pixels: Tensor, boxes: Tensor, *, pooled: int = 0) -> Tensor:
    """What the frozen tower sees of views that share one side, before the projector.

    Args:
        llava: Its tower and feature layer are used.
        pixels: ``[B, 3, S, S]`` in [0, 1], S a multiple of the patch.
        boxes: ``[B, 4]``, each view's box in [0, 1] of its image.
        pooled: Tokens a side that the features are averaged to; 0: as they are, S / patch.

    Returns:
        ``[B, n ** 2, C]``, row-major, n tokens a side.
    """
    if llava.config.vision_config.model_type == CLIP:
        features = _clip_features(llava, pixels, boxes)
    else:
        features = other_features(llava, pixels)
    if pooled:
        grid = math.isqrt(features.shape[1])
        square = features.transpose(1, 2).unflatten(2, (grid, grid))
        features = F.adaptive_avg_pool2d(square, pooled).flatten(2).transpose(1, 2)
    return features


def _clip_features(llava: LlavaModel, pixels: Tensor, boxes: Tensor) -> Tensor:
    """Patch features ``[B, n ** 2, C]``, each at its place in the whole image."""
    tower = llava.vision_tower
    mean = pixels.new_tensor(MEAN).view(1, 3, 1, 1)
    std = pixels.new_tensor(STD).view(1, 3, 1, 1)
    embeddings = tower.embeddings
    weight = embeddings.patch_embedding.weight
    patches = embeddings.patch_embedding(((pixels - mean) / std).to(weight.dtype))
    grid = patches.shape[-1]
    patches = patches.flatten(2).transpose(1, 2)
    table = embeddings.position_embedding.weight
    positions = _positions(table[1:], boxes, grid).to(weight.dtype)
    first = (embeddings.class_embedding + table[0]).expand(len(pixels), 1, -1)
    hidden = tower.pre_layrnorm(torch.cat([first, patches + positions], dim=1))
    for layer in _layers_read(llava):
        hidden = layer(hidden, attention_mask=None)
    return hidden[:, 1:]


def merge(tokens: Tensor, kept: Sequence[int]) -> Tensor:
    """``[n, D]`` tokens to those of ``kept`` and, last, the mean of the others.

    >>> merge(torch.tensor([[1.0], [2.0], [6.0]]), [1]).tolist()
    [[2.0], [3.5]]
    """
    stays = torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)
    stays[list(kept)] = True
    return torch.cat([tokens[stays], tokens[~stays].mean(0, keepdim=True)])


def _layers_read(llava: LlavaModel) -> list[torch.nn.Module]:
    """Encoder layers up to the one LLaVA reads; the rest would be computed for nothing."""
    layers = list(llava.vision_tower.encoder.layers)
    wanted = llava.config.vision_feature_layer
    return layers[: wanted if wanted >= 0 else len(layers) + 1 + wanted]


def _positions(table: Tensor, boxes: Tensor, grid: int) -> Tensor:
    """Position embeddings ``[B, grid * grid, D]`` sampled at the views' patch centres, bicubic."""
    side = round(len(table) ** 0.5)
    image = table.T.reshape(1, -1, side, side).float().expand(len(boxes), -1, -1, -1)
    centres = (torch.arange(grid, device=table.device, dtype=torch.float32) + 0.5) / grid
    x = boxes[:, 0, None] + (boxes[:, 2] - boxes[:, 0])[:, None] * centres  # [B, grid]
    y = boxes[:, 1, None] + (boxes[:, 3] - boxes[:, 1])[:, None] * centres
    where = torch.stack(
        [x[:, None, :].expand(-1, grid, -1), y[:, :, None].expand(-1, -1, grid)], dim=-1
    )
    sampled = F.grid_sample(
        image, where * 2 - 1, mode="bicubic", padding_mode="border", align_corners=False
    )
    return sampled.flatten(2).transpose(1, 2)
