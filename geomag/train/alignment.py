"""Attention alignment (ours, decisions/0009): where the last layer looks when it starts its answer.

A tiny VLM trained from scratch has no usable Eq 4 map; this asks the head-mean attention of the
predicting row to fall inside the target. A weight of 0 reproduces the paper.
"""

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb, repeat_kv


def row_attention(layer: nn.Module, caught: dict[str, Any], rows: Tensor, mask: Tensor) -> Tensor:
    """Head-mean attention of single rows of one decoder layer, with a graph.

    Args:
        layer: A LlamaDecoderLayer.
        caught: ``x`` ``[B, S, D]`` and ``position_embeddings``, as `Vlm.last_layer_input` gives.
        rows: ``[R, 2]``: (batch row, position).
        mask: ``[B, S]`` of left-padded rows, or bool ``[B, 1, S, S]``.

    Returns:
        ``[R, S]``, each row sums to 1.
    """
    attention = layer.self_attn
    hidden = layer.input_layernorm(caught["x"])
    cos, sin = caught["position_embeddings"]
    batch, at = rows[:, 0], rows[:, 1]
    n_rows, size = len(hidden), hidden.shape[1]
    heads = attention.config.num_attention_heads
    queries = attention.q_proj(hidden[batch, at]).view(len(rows), 1, heads, -1).transpose(1, 2)
    keys = attention.k_proj(hidden).view(n_rows, size, -1, attention.head_dim).transpose(1, 2)
    cos, sin = cos.expand(n_rows, -1, -1), sin.expand(n_rows, -1, -1)
    queries, _ = apply_rotary_pos_emb(
        queries, queries, cos[batch, at][:, None], sin[batch, at][:, None]
    )
    _, keys = apply_rotary_pos_emb(keys, keys, cos, sin)
    keys = repeat_kv(keys, attention.num_key_value_groups)
    scores = torch.einsum("rhqd,rhsd->rhqs", queries, keys[batch])[:, :, 0] * attention.scaling
    if mask.dim() == 4:
        allowed = mask[batch, 0, at]
    else:
        columns = torch.arange(size, device=mask.device)
        allowed = mask[batch].bool() & (columns[None] <= at[:, None])
    scores = scores.masked_fill(~allowed[:, None], torch.finfo(scores.dtype).min)
    return scores.float().softmax(-1).mean(1)


def cell_targets(
    mask: NDArray[np.bool_], box: tuple[float, float, float, float], grid: int
) -> NDArray[np.float32]:
    """How much of a target each visual token of a view covers, the best cell scaled to 1.

    Args:
        mask: ``[h, w]`` of the target over the whole image.
        box: The view in [0, 1] of the image.
        grid: Tokens per side.

    Returns:
        ``[grid * grid]``, zeros when the view misses the target.
    """
    height, width = mask.shape
    x0, y0 = int(box[0] * width), int(box[1] * height)
    x1, y1 = max(x0 + 1, round(box[2] * width)), max(y0 + 1, round(box[3] * height))
    part = mask[y0:y1, x0:x1].astype(np.float32)
    cells = cv2.resize(part, (grid, grid), interpolation=cv2.INTER_AREA)
    peak = float(cells.max())
    return np.asarray(cells / peak if peak > 0 else cells, dtype=np.float32).reshape(-1)
