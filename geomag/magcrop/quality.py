"""How good a window is, without asking what the model answers: crop recall and pointing."""

import numpy as np
from numpy.typing import NDArray

from geomag.geometry import BoolMask, PixelBox


def crop_recall(mask: BoolMask, box: PixelBox) -> float:
    """Share of the target's area inside the box, in [0, 1].

    A target without area has nothing to miss: 1.

    >>> mask = np.zeros((4, 4), bool); mask[0, :] = True
    >>> crop_recall(mask, PixelBox(1, 0, 4, 4))
    0.75
    """
    total = int(mask.sum())
    if total == 0:
        return 1.0
    x0, y0, x1, y1 = box.as_ints()
    return int(mask[y0:y1, x0:x1].sum()) / total


def box_recall(target: PixelBox, box: PixelBox) -> float:
    """Share of a target box's area inside the chosen box, in [0, 1].

    >>> box_recall(PixelBox(0, 0, 10, 10), PixelBox(5, 5, 20, 20))
    0.25
    """
    width = min(target.x1, box.x1) - max(target.x0, box.x0)
    height = min(target.y1, box.y1) - max(target.y0, box.y0)
    return max(width, 0.0) * max(height, 0.0) / (target.width * target.height)


def hottest_cell(
    heatmap: NDArray[np.floating], *, width: int, height: int
) -> tuple[float, float, float, float]:
    """``(x0, y0, x1, y1)`` in pixels of the cell with the most heat, the first in reading order."""
    gh, gw = heatmap.shape
    y, x = divmod(int(heatmap.argmax()), gw)
    return x * width / gw, y * height / gh, (x + 1) * width / gw, (y + 1) * height / gh


def points_at(heatmap: NDArray[np.floating], mask: BoolMask) -> bool:
    """Pointing game: whether the hottest cell touches the target; its mean is the pointing rate.

    Args:
        heatmap: ``[gh, gw]``, spread evenly over the image.
        mask: ``[H, W]``, the target.

    >>> mask = np.zeros((4, 4), bool); mask[3, 3] = True
    >>> points_at(np.array([[0.0, 1.0], [2.0, 9.0]]), mask)
    True
    """
    height, width = mask.shape
    x0, y0, x1, y1 = hottest_cell(heatmap, width=width, height=height)
    rows = slice(int(y0), max(int(np.ceil(y1)), int(y0) + 1))
    columns = slice(int(x0), max(int(np.ceil(x1)), int(x0) + 1))
    return bool(mask[rows, columns].any())


def chance_of_pointing(mask: BoolMask, grid: tuple[int, int]) -> float:
    """Pointing rate of a random cell: the share of cells that touch the target."""
    hits = 0
    for cell in range(grid[0] * grid[1]):
        one = np.zeros(grid)
        one.flat[cell] = 1.0
        hits += points_at(one, mask)
    return hits / (grid[0] * grid[1])


def heat_inside(heatmap: NDArray[np.floating], mask: BoolMask) -> float:
    """Share of the heat that falls on the target, in [0, 1]; 0 for a map without heat.

    A cell counts with the part of it that the target covers.
    """
    total = float(heatmap.sum())
    if total <= 0:
        return 0.0
    return float((heatmap * cell_cover(mask, heatmap.shape[0], heatmap.shape[1])).sum()) / total


def cell_cover(mask: BoolMask, rows: int, columns: int) -> NDArray[np.float64]:
    """Share of each cell of a ``rows x columns`` grid that the mask covers, exactly.

    Cell borders may fall inside pixels: the mask's integral is interpolated linearly there.

    >>> cell_cover(np.array([[True, False, False]]), 1, 2).round(3).tolist()
    [[0.667, 0.0]]
    """
    height, width = mask.shape
    integral = np.zeros((height + 1, width + 1))
    integral[1:, 1:] = mask.cumsum(axis=0).cumsum(axis=1)
    ys, xs = np.arange(rows + 1) * height / rows, np.arange(columns + 1) * width / columns
    down = _at(integral, ys)
    both = _at(down.T, xs).T
    cells: NDArray[np.float64] = np.diff(np.diff(both, axis=0), axis=1)
    cells /= height / rows * width / columns
    return cells


def _at(table: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of ``table`` at fractional ``places``."""
    low = np.minimum(places.astype(int), table.shape[0] - 2)
    part = (places - low)[:, None]
    between: NDArray[np.float64] = table[low] * (1 - part) + table[low + 1] * part
    return between
