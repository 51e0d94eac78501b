"""Greedy decoding: the one loop, over the steps of `geomag.model.decoding_steps`."""

from dataclasses import dataclass

import torch
from torch import Tensor

from geomag.model.decoding_steps import CausalModel, Steps
from geomag.model.packed import Packed


@dataclass(frozen=True, slots=True)
class Generated:
    """Greedy answers and the states that predicted their tokens."""

    tokens: list[list[int]]
    """Token ids of each row, without the end token."""
    states: list[Tensor]
    """States of each row ``[T, D]``: state t predicted token t (post-norm)."""
    log_probs: list[list[float]]
    """Log probabilities of each row's tokens."""


@torch.no_grad()
def greedy(vlm: CausalModel, packed: Packed, steps: Steps, *, max_new_tokens: int) -> Generated:
    """The likeliest token again and again; a row ends at its end token.

    A row's states are those that predicted its tokens, as teacher forcing would give them. Ended
    rows leave the batch once they are half of it, and nothing runs past the last token. Token ids
    are all that a step brings to the host.
    """
    end = vlm.tokenizer.eos_token_id
    table = vlm.llava.get_input_embeddings()
    rows = list(range(len(packed.embeds)))  # of the batch, those still computed
    tokens: list[list[int]] = [[] for _ in rows]
    states: list[list[Tensor]] = [[] for _ in rows]
    log_probs: list[list[Tensor]] = [[] for _ in rows]
    is_open = [True] * len(rows)
    last = steps.read(packed)
    for left in reversed(range(max_new_tokens)):
        logits = vlm.lm_head(last).float()
        chosen = logits.argmax(-1)
        sure = logits.amax(-1) - logits.logsumexp(-1)
        said = chosen.tolist()
        is_open = [still and one != end for still, one in zip(is_open, said, strict=True)]
        going = [place for place, still in enumerate(is_open) if still]
        for place in going:
            tokens[rows[place]].append(said[place])
            states[rows[place]].append(last[place])
            log_probs[rows[place]].append(sure[place])
        if left == 0 or not going:
            break
        if 2 * len(going) <= len(rows) and steps.keep(going):
            rows, chosen = [rows[place] for place in going], chosen[going]
            is_open = [True] * len(going)
        last = steps.advance(table(chosen[:, None]))
    empty = packed.embeds.new_zeros(0, vlm.width)
    return Generated(
        tokens,
        [torch.stack(one) if one else empty for one in states],
        [torch.stack(one).tolist() if one else [] for one in log_probs],
    )
