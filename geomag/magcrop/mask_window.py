"""Coarse to fine: a window around the model's own first mask.

Not in the paper. An Eq 4 window can miss what the plain answer already found roughly; a crop
around that answer then magnifies it (decisions/0014: the window is the bottleneck).
"""

import cv2
import numpy as np

from geomag.geometry import BoolMask, box_of_mask
from geomag.magcrop.window import Window, grow_box


def mask_window(
    mask: BoolMask, *, context: float = 2.0, min_px: int = 64, most: float = 0.9
) -> Window | None:
    """A square window around the largest piece of a coarse mask.

    Args:
        mask: ``bool [H, W]``, the plain pass's answer; specks beside its largest connected piece
            would stretch the box over the whole image.
        context: Room around that piece's box, as a share of its longer side.
        min_px: Least side, in pixels.
        most: A window longer than this share of min(H, W) magnifies too little.

    Returns:
        None for an empty mask. Doubtful if the window is longer than ``most``. ``share`` is the
        part of the mask inside, ``score`` the largest piece's density in its box.
    """
    piece = largest_piece(mask)
    tight = box_of_mask(piece)
    if tight is None:
        return None
    height, width = mask.shape
    side = max(tight.width, tight.height)
    square = grow_box(tight, width=width, height=height, min_px=max(side * (1 + context), min_px))
    x0, y0, x1, y1 = square.as_ints()
    share = int(mask[y0:y1, x0:x1].sum()) / int(mask.sum())
    density = float(piece.sum()) / (tight.width * tight.height)
    too_large = max(square.width, square.height) > most * min(width, height)
    return Window(square, density, share, is_doubtful=too_large)


def largest_piece(mask: BoolMask) -> BoolMask:
    """The largest 8-connected piece of ``bool [H, W]``; an empty mask as it is."""
    _, labels, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if len(facts) < 2:
        return mask
    found = labels == 1 + int(facts[1:, cv2.CC_STAT_AREA].argmax())
    return np.asarray(found, dtype=bool)
