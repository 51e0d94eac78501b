"""Where to look: from an Eq 4 heatmap to one box (paper 3.2.2; protocols/model#window).

A window of cells scores its total heat minus the mean total of its neighbours, divided by
``area ** gamma``. Totals come from an integral image, so a size costs one subtraction of arrays.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geomag.config.schema import MagCropConfig
from geomag.geometry import PixelBox

FloatMap = NDArray[np.floating]

VICROP_RATIOS = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRule:
    """How a window is chosen; `build_window_rule` makes it from settings."""

    name: Literal["paper", "vicrop"] = "paper"
    """``vicrop`` is the reference search: pixel sizes, area-normalised, a square crop."""
    sizes: tuple[float, ...] = (1 / 6, 1 / 4, 1 / 3, 5 / 12, 1 / 2, 2 / 3)
    """``paper``: sides as shares of min(W, H)."""
    aspects: tuple[float, ...] = (1.0,)
    """``paper``: width over height, in pixels, at equal area."""
    gamma: float = 0.5
    delta: Literal["cell", "half"] = "half"
    """Shift of the four neighbours: one cell, or half a window."""
    min_px: int = 64
    margin: float = 0.0
    """Growth of the chosen box, as a share of its sides."""
    gate: float = 0.0
    """A window that holds less than this share of the heat is doubtful; 0 is off."""
    base_px: int = 336
    """``vicrop``: the side at ratio 1, the input side of the vision tower."""


@dataclass(frozen=True, slots=True)
class Window:
    """A chosen box and how sure the heatmap is of it."""

    box: PixelBox
    """The window on pixel borders, inside the image."""
    score: float
    """Contrast with the neighbouring windows, in units of the heatmap."""
    share: float
    """Part of the heatmap's total inside the window of cells, in [0, 1]."""
    is_doubtful: bool = False
    """Too little heat inside (`WindowRule.gate`), or none at all: better leave the image whole."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    x: int
    y: int
    nw: int
    nh: int
    total: float
    score: float
    side_px: int


def build_window_rule(config: MagCropConfig, *, base_px: int) -> WindowRule:
    """The rule that the settings ask for; ``base_px`` is the side of the VLM's input."""
    return WindowRule(
        name=config.rule,
        sizes=config.sizes,
        gamma=config.gamma,
        delta=config.delta,
        min_px=config.min_px,
        margin=config.margin,
        gate=config.gate,
        base_px=base_px,
    )


def select_window(
    heatmap: FloatMap, *, width: int, height: int, rule: WindowRule | None = None
) -> Window:
    """The window that stands out most.

    Args:
        heatmap: ``[gh, gw]``, >= 0, finite; spread evenly over the image.
        width: Of the image, in pixels.
        height: Of the image, in pixels.
        rule: Sizes, normalisation and gate; `WindowRule()` when not given.

    Returns:
        The best window. A map without heat, or one that every size covers, gives the whole image.

    Raises:
        ValueError: If the map holds NaN, infinite or negative values.
    """
    rule = rule or WindowRule()
    if heatmap.ndim != 2 or heatmap.size == 0:
        raise ValueError(f"a heatmap is [gh, gw], got shape {heatmap.shape}")
    if not np.isfinite(heatmap).all() or (heatmap < 0).any():
        raise ValueError("the heatmap holds NaN, infinite or negative values")
    heat = heatmap.astype(np.float64)
    total = float(heat.sum())
    best = _best(heat, _sizes(rule, heat.shape, width, height), rule) if total > 0 else None
    if best is None:
        whole = PixelBox(0.0, 0.0, float(width), float(height))
        return Window(whole, 0.0, float(total > 0), is_doubtful=total <= 0)
    place = _square_box if rule.name == "vicrop" else _cell_box
    box = place(best, heat.shape, width, height, rule)
    share = min(best.total / total, 1.0)
    return Window(box, best.score, share, is_doubtful=share < rule.gate)


def window_sums(heatmap: FloatMap, nw: int, nh: int) -> NDArray[np.float64]:
    """Total of every ``nh x nw`` window, ``[gh - nh + 1, gw - nw + 1]``, by its top-left cell.

    >>> window_sums(np.array([[1.0, 2.0], [3.0, 4.0]]), nw=2, nh=1).tolist()
    [[3.0], [7.0]]
    """
    integral = np.zeros((heatmap.shape[0] + 1, heatmap.shape[1] + 1))
    integral[1:, 1:] = heatmap.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    return integral[nh:, nw:] - integral[:-nh, nw:] - integral[nh:, :-nw] + integral[:-nh, :-nw]


def grow_box(
    box: PixelBox, *, width: int, height: int, min_px: float, margin: float = 0.0
) -> PixelBox:
    """``box`` grown about its centre and moved inside the image, on pixel borders.

    Each side grows by ``margin`` of itself and to at least ``min_px`` (or the whole image side).
    """
    x0, x1 = _grow_side(box.x0, box.x1, width, min_px, margin)
    y0, y1 = _grow_side(box.y0, box.y1, height, min_px, margin)
    return PixelBox(float(x0), float(y0), float(x1), float(y1))


def _grow_side(
    low: float, high: float, limit: int, min_px: float, margin: float
) -> tuple[int, int]:
    side = min(max((high - low) * (1 + margin), min_px), limit)
    start = min(max((low + high - side) / 2, 0.0), limit - side)
    # a billionth of a pixel of rounding noise must not cost a pixel
    return max(math.floor(start + 1e-9), 0), min(math.ceil(start + side - 1e-9), limit)


def _sizes(
    rule: WindowRule, grid: tuple[int, ...], width: int, height: int
) -> Iterator[tuple[int, int, int]]:
    """Yield ``(nw, nh, side_px)``: the window in cells, and its nominal side."""
    gh, gw = grid
    cx, cy = width / gw, height / gh
    if rule.name == "vicrop":
        for ratio in VICROP_RATIOS:
            side = int(rule.base_px * ratio)
            # the reference gives 0 cells on images above 8,064 px; one cell is the least here
            nw = max(min(math.floor(rule.base_px * ratio / cx), gw), 1)
            nh = max(min(math.floor(rule.base_px * ratio / cy), gh), 1)
            if nw == gw and nh == gh and ratio == VICROP_RATIOS[0]:
                return
            if not (nw == gw and nh == gh):
                yield nw, nh, side
        return
    seen: set[tuple[int, int]] = set()
    for share in rule.sizes:
        side_px = max(share * min(width, height), rule.min_px)
        for aspect in rule.aspects:
            nw = min(max(math.floor(side_px * math.sqrt(aspect) / cx + 0.5), 1), gw)
            nh = min(max(math.floor(side_px / math.sqrt(aspect) / cy + 0.5), 1), gh)
            if (nw, nh) not in seen and not (nw == gw and nh == gh):
                seen.add((nw, nh))
                yield nw, nh, round(side_px)


def _best(
    heat: NDArray[np.float64], sizes: Iterator[tuple[int, int, int]], rule: WindowRule
) -> _Candidate | None:
    gamma = 1.0 if rule.name == "vicrop" else rule.gamma
    best: _Candidate | None = None
    for nw, nh, side_px in sizes:
        sums = window_sums(heat, nw, nh)
        # ties go to the smallest x, then the smallest y, as in the reference
        x, y = divmod(int(sums.T.argmax()), sums.shape[0])
        half = rule.name == "paper" and rule.delta == "half"
        dx, dy = (max(nw // 2, 1), max(nh // 2, 1)) if half else (1, 1)
        around = [
            sums[b, a]
            for a, b in ((x - dx, y), (x + dx, y), (x, y - dy), (x, y + dy))
            if 0 <= a < sums.shape[1] and 0 <= b < sums.shape[0]
        ]
        if not around:
            continue
        score = float(sums[y, x] - np.mean(around)) / (nw * nh) ** gamma
        if best is None or score > best.score:
            best = _Candidate(x, y, nw, nh, float(sums[y, x]), score, side_px)
    return best


def _cell_box(
    best: _Candidate, grid: tuple[int, ...], width: int, height: int, rule: WindowRule
) -> PixelBox:
    """The window of cells, rounded outward to pixels."""
    cx, cy = width / grid[1], height / grid[0]
    cells = PixelBox(best.x * cx, best.y * cy, (best.x + best.nw) * cx, (best.y + best.nh) * cy)
    return grow_box(cells, width=width, height=height, min_px=rule.min_px, margin=rule.margin)


def _square_box(
    best: _Candidate, grid: tuple[int, ...], width: int, height: int, rule: WindowRule
) -> PixelBox:
    """A square of ``side_px`` about the window's centre (protocols/model#window)."""
    half = best.side_px // 2
    cx, cy = width / grid[1], height / grid[0]
    x = max(min(int(best.x * cx + cx * best.nw / 2), width - half), half)
    y = max(min(int(best.y * cy + cy * best.nh / 2), height - half), half)
    square = PixelBox(
        float(max(x - half, 0)),
        float(max(y - half, 0)),
        float(min(x + half, width)),
        float(min(y + half, height)),
    )
    if rule.margin == 0:
        return square
    return grow_box(square, width=width, height=height, min_px=0, margin=rule.margin)
