"""The obvious forms of the probe and the window search, to hold the fast ones against."""

import numpy as np
import torch
from torch import Tensor

from geomag.bench.naive_probe import naive_gradients
from geomag.magcrop.heatmap import AttentionSource, ProbeInputs


def eager_heatmap(
    source: AttentionSource,
    inputs: ProbeInputs,
    *,
    layer: int = -1,
    loss: str = "log_p",
    heads: str = "mean",
) -> Tensor:
    """Eq 4 as written: the last row of ReLU(dL/dA) * A, heads merged, image columns ``[B, n]``."""
    attention, gradient, _ = naive_gradients(source, inputs, layer=layer, loss=loss)
    row = (gradient.relu() * attention)[:, :, -1, :]
    row = row.mean(dim=1) if heads == "mean" else row.amax(dim=1)
    return torch.stack([r[c] for r, c in zip(row, inputs.image_columns, strict=True)])


def loop_sums(heatmap: np.ndarray, nw: int, nh: int) -> np.ndarray:
    """Window totals, one slice at a time."""
    rows, columns = heatmap.shape[0] - nh + 1, heatmap.shape[1] - nw + 1
    return np.array(
        [[heatmap[y : y + nh, x : x + nw].sum() for x in range(columns)] for y in range(rows)]
    )


def loop_vicrop(heatmap: np.ndarray, width: int, height: int, base: int) -> tuple[int, ...]:
    """The reference search of protocols/model#window, step by step."""
    gh, gw = heatmap.shape
    cx, cy = width / gw, height / gh
    best, box = -np.inf, (0, 0, width, height)
    for ratio in (1, 1.2, 1.4, 1.6, 1.8, 2):
        nw, nh = min(int(base * ratio / cx), gw), min(int(base * ratio / cy), gh)
        if nw == gw and nh == gh:
            if ratio == 1:
                return (0, 0, width, height)
            continue
        top, at = -np.inf, (0, 0)
        for x in range(gw - nw + 1):
            for y in range(gh - nh + 1):
                if (total := heatmap[y : y + nh, x : x + nw].sum()) > top:
                    top, at = total, (x, y)
        x, y = at
        around = [
            heatmap[b : b + nh, a : a + nw].sum()
            for a, b in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1))
            if 0 <= a <= gw - nw and 0 <= b <= gh - nh
        ]
        score = (top - np.mean(around)) / (nw * nh)
        if score > best:
            best, half = score, int(base * ratio) // 2
            px = min(max(int(x * cx + cx * nw / 2), half), width - half)
            py = min(max(int(y * cy + cy * nh / 2), half), height - half)
            box = (
                max(px - half, 0),
                max(py - half, 0),
                min(px + half, width),
                min(py + half, height),
            )
    return box
