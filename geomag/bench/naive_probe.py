"""Eq 4 as one would first write it: all attention matrices, autograd through the whole model.

The bench measures these forms and the tests hold `geomag.magcrop.heatmap` against them; nothing
else may use them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from geomag.magcrop.heatmap import AttentionSource, Loss, ProbeInputs


@contextmanager
def _eager(language: nn.Module) -> Iterator[None]:
    before = language.config._attn_implementation
    language.set_attn_implementation("eager")
    try:
        yield
    finally:
        language.set_attn_implementation(before)


def causal_mask(inputs: ProbeInputs) -> Tensor:
    """Additive ``[1, 1, S, S]``; given one, the model reads no values, so meta tensors pass."""
    size = inputs.embeds.shape[1]
    lowest = torch.finfo(inputs.embeds.dtype).min
    return torch.full_like(inputs.embeds[0, :1, :1], lowest).expand(size, size).triu(1)[None, None]


def _forward(source: AttentionSource, inputs: ProbeInputs) -> tuple[tuple[Tensor, ...], Tensor]:
    """Attention ``[B, heads, S, S]`` of every layer, and the last position's logits."""
    mask = inputs.attention_mask
    out = source.language_model(
        inputs_embeds=inputs.embeds.detach().requires_grad_(True),
        attention_mask=causal_mask(inputs) if mask is None else mask,
        output_attentions=True,
        use_cache=False,
    )
    return out.attentions, source.lm_head(out.last_hidden_state[:, -1])


def _objective(logits: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    score = logits if loss == "logit" else logits.log_softmax(dim=-1)
    sign = -1 if loss == "ce_literal" else 1
    return sign * score.gather(1, targets[:, None]).sum()


def naive_gradients(
    source: AttentionSource, inputs: ProbeInputs, *, layer: int, loss: Loss = "log_p"
) -> tuple[Tensor, Tensor, Tensor]:
    """Attention and dL/dA of one layer, both ``[B, heads, S, S]``, and the greedy targets."""
    with _eager(source.language_model):
        attentions, logits = _forward(source, inputs)
        targets = logits.argmax(dim=-1)
        value = _objective(logits, targets, loss)
        (gradient,) = torch.autograd.grad(value, attentions[layer])
    return attentions[layer].detach(), gradient, targets


def naive_backward(source: AttentionSource, inputs: ProbeInputs) -> tuple[Tensor, Tensor]:
    """Last layer's attention and gradient by ``backward()``, which fills every weight's too."""
    with _eager(source.language_model):
        attentions, logits = _forward(source, inputs)
        attentions[-1].retain_grad()
        _objective(logits, logits.argmax(dim=-1), "log_p").backward()
    gradient = attentions[-1].grad
    assert gradient is not None
    return attentions[-1].detach(), gradient
