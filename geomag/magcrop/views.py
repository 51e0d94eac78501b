"""Mixed-resolution views: fewer visual tokens for the same detail (protocols/model#visual-tokens).

Not in the paper, whose Eq 2 stitches in place and saves nothing in a tower with a fixed number of
tokens. Views run coarse to fine: the whole image small, then each crop.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from geomag.geometry import PixelBox

WEIGHTS = {0: (1,), 1: (64, 256), 2: (64, 36, 256)}
"""How a budget divides by number of crops: background, C_1, C_2 (112, 84 and 224 px,
protocols/model#visual-tokens). The last view holds the target and gets what the others leave
over."""


@dataclass(frozen=True, slots=True)
class ImageView:
    """A part of the image, the square that it is read as, and what is left of its tokens."""

    box: PixelBox | None
    """Part of the image in its pixels; None is all of it."""
    side_px: int
    """Side of the square that the tower reads, in pixels."""
    pooled: int = 0
    """Tokens a side after its features are averaged; 0: as many as patches."""
    kept: tuple[int, ...] = ()
    """The tokens that stay, row by row; the others become one, their mean. Empty: all stay."""

    def grid(self, patch_px: int = 14) -> int:
        """Tokens a side, before any are merged."""
        return self.pooled or self.side_px // patch_px

    def n_tokens(self, patch_px: int = 14) -> int:
        """Visual tokens it costs.

        >>> ImageView(None, 224).n_tokens(), ImageView(None, 336, pooled=8).n_tokens()
        (256, 64)
        >>> ImageView(None, 336, kept=(0, 25, 26)).n_tokens()
        4
        """
        return len(self.kept) + 1 if self.kept else self.grid(patch_px) ** 2


def plan_views(
    boxes: Sequence[PixelBox], *, budget: int, patch_px: int = 14, max_px: int | None = None
) -> list[ImageView]:
    """Views of an image within a budget of visual tokens, coarse to fine.

    A view is a square of whole patches within its share of the budget (`WEIGHTS`); the last, which
    is the finest, may take all that the others leave.

    Args:
        boxes: C_1, or C_1 and C_2; empty for the whole image alone.
        budget: Most visual tokens in total.
        patch_px: Side of the tower's patches.
        max_px: Longest side that the tower takes.

    Raises:
        ValueError: If there are more than two boxes, or a view would get no patch.

    >>> tuple(v.side_px for v in plan_views([PixelBox(0, 0, 400, 400)], budget=320))
    (112, 224)
    """
    if len(boxes) not in WEIGHTS:
        raise ValueError(f"{len(boxes)} crops; Eq 2 has two at most")
    regions: list[PixelBox | None] = [None, *boxes]
    weights = WEIGHTS[len(boxes)]
    left, views = budget, []
    for index, (region, weight) in enumerate(zip(regions, weights, strict=True)):
        is_last = index == len(boxes)
        patches = math.isqrt(left if is_last else budget * weight // sum(weights))
        if max_px is not None:
            patches = min(patches, max_px // patch_px)
        if patches < 1:
            raise ValueError(f"a budget of {budget} tokens is too small for {len(regions)} views")
        left -= patches**2
        views.append(ImageView(region, patches * patch_px))
    return views


def as_pooled(views: Sequence[ImageView], *, side_px: int, patch_px: int) -> list[ImageView]:
    """The same tokens from features of the tower's own size: each view read at ``side_px``.

    >>> as_pooled([ImageView(None, 112)], side_px=336, patch_px=14)
    [ImageView(box=None, side_px=336, pooled=8, kept=())]
    """
    return [
        replace(view, side_px=side_px, pooled=view.side_px // patch_px)
        if view.side_px < side_px
        else view
        for view in views
    ]


def pruned(heat: NDArray[np.float32], *, budget: int, side_px: int, patch_px: int) -> ImageView:
    """The whole image, where the map is highest token by token and elsewhere as one.

    Args:
        heat: ``[gh, gw]``, H over the image.
        budget: Visual tokens, the merged one included; with room for all, all stay.
        side_px: Side that the tower reads.
        patch_px: Side of its patches.
    """
    grid = side_px // patch_px
    if budget >= grid**2:
        return ImageView(None, side_px)
    fine = heat.astype(np.float32)
    if fine.shape != (grid, grid):
        fine = cv2.resize(fine, (grid, grid), interpolation=cv2.INTER_AREA)
    order = np.argsort(-fine.reshape(-1), kind="stable")[: budget - 1]
    return ImageView(None, side_px, kept=tuple(sorted(order.tolist())))


def image_level_view(px: int = 100, patch_px: int = 14) -> ImageView:
    """I_100x100 as one view: the most whole patches that fit, 49 tokens at 14 px.

    >>> image_level_view().n_tokens()
    49
    """
    return ImageView(None, max(px // patch_px, 1) * patch_px)
