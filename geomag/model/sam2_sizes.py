"""The four published SAM2.1 image models, told apart by the shapes of their own weights.

Sizes are those of ``sam2/configs/sam2.1`` of the package ``sam2``.
"""

import re
from collections.abc import Mapping
from typing import Any

from geomag.errors import WeightsError
from geomag.model.sam2_parts import HIERA_LARGE, Sam2Size

_SHARED: dict[str, Any] = {"image_px": 1024, "neck_width": 256}
HIERA_TINY = Sam2Size(
    embed_dim=96,
    num_heads=1,
    stages=(1, 2, 7, 2),
    global_att_blocks=(5, 7, 9),
    window_spec=(8, 4, 14, 7),
    **_SHARED,
)
HIERA_SMALL = Sam2Size(
    embed_dim=96,
    num_heads=1,
    stages=(1, 2, 11, 2),
    global_att_blocks=(7, 10, 13),
    window_spec=(8, 4, 14, 7),
    **_SHARED,
)
HIERA_BASE_PLUS = Sam2Size(
    embed_dim=112,
    num_heads=2,
    stages=(2, 3, 16, 3),
    global_att_blocks=(12, 16, 20),
    window_spec=(8, 4, 14, 7),
    window_background=(14, 14),
    **_SHARED,
)
PUBLISHED: dict[str, Sam2Size] = {
    "tiny": HIERA_TINY,
    "small": HIERA_SMALL,
    "base_plus": HIERA_BASE_PLUS,
    "large": HIERA_LARGE,
}
"""Sizes by the name that the file of the checkpoint has, as in ``sam2.1_hiera_tiny.pt``."""
_BLOCK = re.compile(r"image_encoder\.trunk\.blocks\.(\d+)\.")


def size_of(state: Mapping[str, Any], place: str) -> Sam2Size:
    """The size whose widths and numbers of blocks a checkpoint has.

    Args:
        state: Tensors by SAM2's own names.
        place: Where they come from.

    Raises:
        WeightsError: If it is none of the four.
    """
    first = state.get("image_encoder.trunk.patch_embed.proj.weight")
    blocks = {int(found.group(1)) for name in state if (found := _BLOCK.match(name))}
    if first is None or not blocks:
        raise WeightsError(
            place,
            f"no image encoder of SAM2 in it, keys {sorted(state)[:3]}",
            "a SAM2.1 checkpoint",
        )
    width, depth = int(first.shape[0]), len(blocks)
    for size in PUBLISHED.values():
        if (size.embed_dim, sum(size.stages)) == (width, depth):
            return size
    known = ", ".join(
        f"{name} ({one.embed_dim}, {sum(one.stages)})" for name, one in PUBLISHED.items()
    )
    raise WeightsError(place, f"an encoder of width {width} with {depth} blocks", f"one of {known}")
