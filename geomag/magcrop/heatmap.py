"""Where the model looks: gradient-weighted attention, Eq 4, at the cost of one prefill.

The loss reads the last position only, and no other position sees it. So with ``o`` the attention
output of that one row in layer l, the gradient has a closed form (protocols/model#one-row)::

    dL/dA[h, j] = < v[h, j], (dL/do)[h] >

The layers run without a graph; autograd walks a single row from layer l to the logits. No
attention matrix is ever built, at the last layer (the paper's) or at any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.masking_utils import create_causal_mask
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb, repeat_kv

Loss = Literal["log_p", "ce_literal", "logit"]
Heads = Literal["mean", "max"]
Rope = tuple[Tensor, Tensor]
Past = Sequence[tuple[Tensor, Tensor]]
"""Per layer the keys (rotated) and values ``[B, kv_heads, P, hd]`` of what stands before."""


class AttentionSource(Protocol):
    """What the probe asks of a vision-language model; adapters may be attached or disabled."""

    @property
    def language_model(self) -> nn.Module:
        """A `LlamaModel`: ``layers``, ``norm``, ``rotary_emb``, ``config``."""
        ...

    @property
    def lm_head(self) -> nn.Module:
        """Turn states ``[B, d]`` into logits ``[B, vocabulary]``."""
        ...


@dataclass(frozen=True, slots=True)
class ProbeInputs:
    """A batch of prompts whose image tokens are already embedded."""

    embeds: Tensor
    """``[B, S, d]``, padded on the left: the last position is the last prompt token."""
    image_columns: Tensor
    """``bool [B, P + S]``: the image tokens, at least one per row."""
    attention_mask: Tensor | None = None
    """``[B, P + S]``, 0 at padding; None when nothing is padded."""
    past: Past | None = None
    """P positions that were read before ``embeds``, the image's among them; None: P = 0."""

    def __post_init__(self) -> None:
        rows, size = self.embeds.shape[:2]
        size += self.past[0][0].shape[2] if self.past else 0
        if self.image_columns.shape != (rows, size):
            raise ValueError(
                f"image_columns {tuple(self.image_columns.shape)} does not fit embeds "
                f"{tuple(self.embeds.shape)} and what stands before them"
            )
        if self.attention_mask is not None and not bool(self.attention_mask[:, -1].all()):
            raise ValueError("pad on the left: the last position must be a prompt token")


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Eq 4 for one batch."""

    values: Tensor
    """``[B, n]`` float32, >= 0, in the order of the image tokens; zeros after a shorter row."""
    n_image_tokens: Tensor
    """``[B]`` int64: how many of ``n`` are real."""
    targets: Tensor
    """``[B]`` int64: the token whose loss was differentiated."""


def heatmap(
    source: AttentionSource,
    inputs: ProbeInputs,
    *,
    layer: int = -1,
    loss: Loss = "log_p",
    heads: Heads = "mean",
    targets: Tensor | None = None,
) -> Heatmap:
    """Eq 4 for each image token, from the last prompt token; arguments as `token_heat`."""
    heat, chosen = token_heat(source, inputs, layer=layer, loss=loss, heads=heads, targets=targets)
    values, counts = _pack(heat, inputs.image_columns)
    return Heatmap(values, counts, chosen)


def token_heat(
    source: AttentionSource,
    inputs: ProbeInputs,
    *,
    layer: int = -1,
    loss: Loss = "log_p",
    heads: Heads = "mean",
    targets: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """ReLU(dL/dA) * A from the last prompt token to every token, over the heads.

    Args:
        source: The model, in evaluation mode.
        inputs: Prompts with image tokens in place.
        layer: Decoder layer whose attention is weighted; -1, the last, is the paper's.
        loss: L. ``log_p`` keeps what raises the answer's probability (the reference code's sign),
            ``ce_literal`` what raises the cross-entropy, ``logit`` what raises the raw logit.
        heads: How heads are merged.
        targets: ``[B]`` token ids; the greedy next token of the same pass when not given.

    Returns:
        Heat ``[B, P + S]`` float32, and the targets ``[B]``.

    Raises:
        ValueError: If the model is training, or its layers disagree on the attention kernel.
    """
    model = source.language_model
    _require_comparable_layers(model)
    mask, first = inputs.attention_mask, layer % len(model.layers)
    nothing: list[tuple[Tensor, Tensor] | None] = [None] * len(model.layers)
    past = nothing if inputs.past is None else list(inputs.past)
    with torch.no_grad():
        states, rope = _layer_inputs(model, inputs, first)
        row = states[0][:, -1:]
        attention, values = _attend(model.layers[first], states[0], row, rope, mask, past[first])
        mixed = _mix(attention, values)
    mixed.requires_grad_(True)
    with torch.enable_grad():
        row = _finish(model.layers[first], row, mixed)
        above = zip(model.layers[first + 1 :], states[1:], past[first + 1 :], strict=True)
        for block, state, before in above:
            row = _finish(block, row, _mix(*_attend(block, state, row, rope, mask, before)))
        logits = source.lm_head(model.norm(row))[:, -1].float()
        chosen = logits.detach().argmax(dim=-1) if targets is None else targets
        (gradient,) = torch.autograd.grad(_objective(logits, chosen, loss), mixed)
    return _weigh(attention, values, gradient, heads), chosen


def probe(
    source: AttentionSource,
    inputs: ProbeInputs,
    *,
    grid: tuple[int, int],
    layer: int = -1,
    loss: Loss = "log_p",
    heads: Heads = "mean",
) -> Tensor:
    """`heatmap` as maps ``[B, gh, gw]``, row-major as the vision tower cuts its patches.

    Raises:
        ValueError: If a prompt does not hold exactly ``gh * gw`` image tokens.
    """
    found = heatmap(source, inputs, layer=layer, loss=loss, heads=heads)
    rows, columns = grid
    if not bool((found.n_image_tokens == rows * columns).all()):
        raise ValueError(
            f"{found.n_image_tokens.tolist()} image tokens do not fill a map of {rows} x {columns}"
        )
    return found.values.reshape(-1, rows, columns)


def _require_comparable_layers(model: nn.Module) -> None:
    """Refuse what silently computes something else.

    Under a model-wide SDPA kernel no additive causal mask is made, so a layer switched to eager
    on its own attends to the future (protocols/model#traps).
    """
    if model.training:
        raise ValueError("the probe needs the model in evaluation mode: dropout would blur the map")
    kernel = model.config._attn_implementation
    odd = [
        index
        for index, block in enumerate(model.layers)
        if block.self_attn.config._attn_implementation == "eager" != kernel
    ]
    if odd:
        raise ValueError(
            f"decoder layers {odd} are set to eager attention and the model to {kernel}: they "
            "would run without a causal mask; set the whole model with set_attn_implementation"
        )


def _layer_inputs(model: nn.Module, inputs: ProbeInputs, first: int) -> tuple[list[Tensor], Rope]:
    """Inputs ``[B, S, d]`` of layers ``first`` to the last; RoPE's (cos, sin) ``[B, S, hd]``."""
    mask, size = inputs.attention_mask, inputs.embeds.shape[1]
    positions = torch.arange(inputs.image_columns.shape[1], device=inputs.embeds.device)[None]
    if mask is not None:
        positions = (mask.long().cumsum(dim=-1) - 1).clamp(min=0)
    positions = positions[:, -size:]
    cache = None if inputs.past is None else DynamicCache(inputs.past)
    causal = create_causal_mask(
        config=model.config,
        inputs_embeds=inputs.embeds,
        attention_mask=mask,
        cache=cache,
        # without a mask, explicit positions would be searched for packed sequences
        position_ids=None if mask is None else positions,
    )
    rope = model.rotary_emb(inputs.embeds, position_ids=positions)
    state, kept = inputs.embeds, []
    for index, block in enumerate(model.layers):
        if index >= first:
            kept.append(state)
        if index < len(model.layers) - 1:
            state = block(
                state,
                attention_mask=causal,
                position_ids=positions,
                position_embeddings=rope,
                cache=cache,
            )
    return kept, rope


def _attend(
    block: nn.Module,
    state: Tensor,
    row: Tensor,
    rope: Rope,
    mask: Tensor | None,
    past: tuple[Tensor, Tensor] | None,
) -> tuple[Tensor, Tensor]:
    """Attention of the last position, float32 ``[B, heads, 1, S]``; values ``[B, heads, S, hd]``.

    S counts ``past`` too.

    ``row`` stands in for the last position of ``state``. The others carry no gradient: they do not
    see the last one.
    """
    module = block.self_attn
    cos, sin = rope
    with torch.no_grad():
        before = block.input_layernorm(state[:, :-1])
        keys, values = _heads(module.k_proj(before), module), _heads(module.v_proj(before), module)
        _, keys = apply_rotary_pos_emb(keys, keys, cos[:, :-1], sin[:, :-1])
        if past is not None:
            keys, values = torch.cat([past[0], keys], dim=2), torch.cat([past[1], values], dim=2)
    here = block.input_layernorm(row)
    query, key = _heads(module.q_proj(here), module), _heads(module.k_proj(here), module)
    query, key = apply_rotary_pos_emb(query, key, cos[:, -1:], sin[:, -1:])
    value = _heads(module.v_proj(here), module)
    groups = module.num_key_value_groups
    keys = repeat_kv(torch.cat([keys, key], dim=2), groups)
    values = repeat_kv(torch.cat([values, value], dim=2), groups)
    scores = (query @ keys.transpose(2, 3)).float() * module.scaling
    if mask is not None:
        scores = scores.masked_fill(mask[:, None, None, :] == 0, torch.finfo(scores.dtype).min)
    return scores.softmax(dim=-1), values


def _heads(projected: Tensor, module: nn.Module) -> Tensor:
    """``[B, S, heads * hd]`` to ``[B, heads, S, hd]``."""
    return projected.unflatten(-1, (-1, module.head_dim)).transpose(1, 2)


def _mix(attention: Tensor, values: Tensor) -> Tensor:
    """``o = A v`` of one row: ``[B, heads, 1, hd]``."""
    return attention.to(values.dtype) @ values


def _finish(block: nn.Module, row: Tensor, mixed: Tensor) -> Tensor:
    """The rest of a decoder layer for one row ``[B, 1, d]``."""
    row = row + block.self_attn.o_proj(mixed.transpose(1, 2).flatten(2))
    return row + block.mlp(block.post_attention_layernorm(row))


def _objective(logits: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """Summed over the batch: its rows do not meet, so each gets its own gradient."""
    if loss == "logit":
        return logits.gather(1, targets[:, None]).sum()
    log_p = logits.log_softmax(dim=-1).gather(1, targets[:, None]).sum()
    return log_p if loss == "log_p" else -log_p


def _weigh(attention: Tensor, values: Tensor, gradient: Tensor, heads: Heads) -> Tensor:
    """ReLU(dL/dA) * A over the heads, float32 ``[B, S]``."""
    slope = (values.float() @ gradient.float().transpose(2, 3)).squeeze(-1)
    weighted = slope.relu() * attention.squeeze(2)
    return weighted.mean(dim=1) if heads == "mean" else weighted.amax(dim=1)


def _pack(heat: Tensor, image_columns: Tensor) -> tuple[Tensor, Tensor]:
    """The image columns of each row side by side, ``[B, n]``, zeros after a shorter row."""
    counts = image_columns.sum(dim=1)
    order = image_columns.long().argsort(dim=1, descending=True, stable=True)
    width = int(counts.max())
    packed = heat.gather(1, order[:, :width])
    filled = torch.arange(width, device=heat.device)[None] < counts[:, None]
    return packed * filled, counts
