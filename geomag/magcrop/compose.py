"""Keep detail where the prompt asks, blur the rest: Eq 2 and Eq 3.

Every piece stays on the original pixel grid: boxes, masks and coordinates inside prompts remain
valid, and the pieces differ in sharpness only.

See paper 3.2.1; protocols/model#views.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from geomag.config.schema import MagCropConfig
from geomag.data.benchmarks import Granularity
from geomag.geometry import PixelBox

RgbImage = NDArray[np.uint8]
Filter = Literal["bicubic", "bilinear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustRule:
    """What Eq 2 and 3 leave open; `build_adjust_rule` makes it from settings."""

    factor: int = 4
    """Linear reduction of D (Eq 3)."""
    dd: Literal["literal", "pyramid"] = "literal"
    """D(D(I)): D twice to the letter, which blurs little more than once, or true 1/16."""
    filter: Filter = "bicubic"
    image_level_px: int = 100


def build_adjust_rule(config: MagCropConfig) -> AdjustRule:
    """The rule that the settings ask for."""
    return AdjustRule(dd=config.dd, filter=config.filter, image_level_px=config.image_level_px)


def resize(image: Tensor, height: int, width: int, *, filter: Filter = "bicubic") -> Tensor:
    """Resample ``[B, C, H, W]`` float; antialiased when a side shrinks."""
    shrinks = height < image.shape[-2] or width < image.shape[-1]
    return F.interpolate(
        image, size=(height, width), mode=filter, align_corners=False, antialias=shrinks
    )


def compress(image: Tensor, factor: int = 4, *, filter: Filter = "bicubic") -> Tensor:
    """Blur what the prompt does not ask about: D(.) of Eq 3.

    Args:
        image: ``[B, 3, H, W]``, float.
        factor: Linear reduction; the paper uses 4 (section 3.2.1).
        filter: Resampling; not in the paper (protocols/model#views).

    Returns:
        ``[B, 3, H, W]``: the same size, with detail finer than ``factor`` pixels gone. Bicubic
        may leave the input's range a little at sharp edges.
    """
    height, width = image.shape[-2:]
    small = (max(1, int(height / factor + 0.5)), max(1, int(width / factor + 0.5)))
    return resize(resize(image, *small, filter=filter), height, width, filter=filter)


def adjust(
    image: RgbImage,
    granularity: Granularity,
    box1: PixelBox | None = None,
    box2: PixelBox | None = None,
    *,
    rule: AdjustRule | None = None,
) -> RgbImage:
    """Adjust an image to the granularity of its prompt: I' of Eq 2.

    Args:
        image: ``uint8 [H, W, 3]``.
        granularity: G; decides how the image is treated.
        box1: C_1 in pixels of ``image``; None (a doubtful window) leaves the image as it is.
        box2: C_2 in pixels of ``image``, inside ``box1``; None keeps all of C_1 sharp.
        rule: Filter, D(D(.)) reading and the image-level size.

    Returns:
        ``uint8``: ``[100, 100, 3]`` at image level, else ``[H, W, 3]``.

    Raises:
        ValueError: If a box leaves the image, or ``box2`` leaves ``box1``.
    """
    rule = rule or AdjustRule()
    if granularity is Granularity.IMAGE:
        side = rule.image_level_px
        return _to_rgb(resize(_to_tensor(image), side, side, filter=rule.filter))
    if box1 is None:
        return image
    whole = PixelBox(0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
    if not whole.contains(box1):
        raise ValueError(f"{box1} leaves the image of {image.shape[1]} x {image.shape[0]} pixels")
    if box2 is not None and not box1.contains(box2):
        raise ValueError(f"{box2} leaves {box1}")
    sharp = _to_tensor(image)
    if granularity is Granularity.REGION:
        canvas = compress(sharp, rule.factor, filter=rule.filter)
        return _to_rgb(stitch(canvas, sharp, box1))
    canvas = _compress_twice(sharp, rule)
    if box2 is None:
        return _to_rgb(stitch(canvas, sharp, box1))
    x0, y0, x1, y1 = box1.as_ints()
    canvas[..., y0:y1, x0:x1] = compress(sharp[..., y0:y1, x0:x1], rule.factor, filter=rule.filter)
    return _to_rgb(stitch(canvas, sharp, box2))


def stitch(canvas: Tensor, sharp: Tensor, box: PixelBox) -> Tensor:
    """``canvas`` with the pixels of ``sharp`` inside ``box``: Eq 2's circled plus, hard seams."""
    x0, y0, x1, y1 = box.as_ints()
    stitched = canvas.clone()
    stitched[..., y0:y1, x0:x1] = sharp[..., y0:y1, x0:x1]
    return stitched


def crop(image: RgbImage, box: PixelBox) -> RgbImage:
    """C(.): the pixels of ``image`` inside ``box``, a view."""
    x0, y0, x1, y1 = box.as_ints()
    return image[y0:y1, x0:x1]


def _compress_twice(image: Tensor, rule: AdjustRule) -> Tensor:
    if rule.dd == "pyramid":
        return compress(image, rule.factor**2, filter=rule.filter)
    once = compress(image, rule.factor, filter=rule.filter)
    return compress(once, rule.factor, filter=rule.filter)


def _to_tensor(image: RgbImage) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()


def _to_rgb(image: Tensor) -> RgbImage:
    pixels: RgbImage = (
        image[0].round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    )
    return pixels
