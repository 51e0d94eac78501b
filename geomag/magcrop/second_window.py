"""C_2(C_1(I, P), P): a second window inside the first (Eq 2; protocols/model#views)."""

from dataclasses import replace

from geomag.geometry import PixelBox
from geomag.magcrop.window import FloatMap, Window, WindowRule, select_window


def second_window(outer: PixelBox, heatmap: FloatMap, rule: WindowRule) -> Window | None:
    """C_2 out of the heatmap of the crop C_1 taken as an image of its own.

    Args:
        outer: C_1, in pixels of the image.
        heatmap: ``[gh, gw]`` of the crop.
        rule: As for the first window.

    Returns:
        The window in pixels of the image; None if it is doubtful or no smaller than C_1.
    """
    window = select_window(heatmap, width=int(outer.width), height=int(outer.height), rule=rule)
    box = nested_box(outer, window.box)
    return None if box is None or window.is_doubtful else replace(window, box=box)


def nested_box(outer: PixelBox, inner: PixelBox) -> PixelBox | None:
    """C_2 from C_1: ``inner`` (pixels of the crop ``outer``) in the image's pixels.

    Returns:
        None if it is not smaller than ``outer``: each successive crop covers less (paper 3.2.1).
    """
    placed = inner.shifted(outer.x0, outer.y0)
    if not outer.contains(placed):
        raise ValueError(f"{inner} leaves the crop {outer}")
    smaller = placed.width * placed.height < outer.width * outer.height
    return placed if smaller else None
