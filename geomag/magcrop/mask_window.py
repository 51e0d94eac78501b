"""Coarse to fine: a window around the model's own first mask, and how it joins the Eq 4 window.

Not in the paper. An Eq 4 window can miss what the plain answer already found roughly; a crop
around that answer then magnifies it (DESIGN 5: the window is the bottleneck).
"""

from typing import Literal

from geomag.geometry import BoolMask, box_of_mask
from geomag.magcrop.window import Window, grow_box

Probe = Literal["attention", "mask", "attention+mask"]


def mask_window(
    mask: BoolMask, *, context: float = 1.0, min_px: int = 64, most: float = 2 / 3
) -> Window | None:
    """A square window around a coarse mask.

    Args:
        mask: ``bool [H, W]``, the plain pass's answer.
        context: Room around the mask's box, as a share of its longer side.
        min_px: Least side, in pixels.
        most: A box that would be longer than this share of min(H, W) magnifies too little.

    Returns:
        None for an empty mask. Doubtful if the box is larger than ``most``. ``share`` is the
        part of the mask inside (all of it unless the image border cuts the square), ``score``
        the mask's density in its box.
    """
    tight = box_of_mask(mask)
    if tight is None:
        return None
    height, width = mask.shape
    side = max(tight.width, tight.height)
    square = grow_box(tight, width=width, height=height, min_px=max(side * (1 + context), min_px))
    area, density = int(mask.sum()), float(mask.sum()) / (tight.width * tight.height)
    x0, y0, x1, y1 = square.as_ints()
    share = int(mask[y0:y1, x0:x1].sum()) / area
    too_large = max(square.width, square.height) > most * min(width, height)
    return Window(square, density, share, is_doubtful=too_large)


def join_windows(attention: Window | None, mask: Window | None, probe: Probe) -> Window | None:
    """The window that ``probe`` settles on; None or a doubtful one leaves the image whole.

    ``attention+mask`` takes the mask's window if there is one and the heatmap's otherwise; where
    neither is sure, the one that is less doubtful stays, marked as it is.
    """
    if probe == "attention":
        return attention
    if probe == "mask":
        return mask
    sure = [w for w in (mask, attention) if w is not None and not w.is_doubtful]
    if sure:
        return sure[0]
    return mask if mask is not None else attention
