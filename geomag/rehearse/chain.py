"""Random weights that say a sentence with a mask: each of its tokens calls for the next one.

Whatever random layers do, the last prompt token's own row runs through them in the residual stream.
So the sentence is written into rows of the token tables: neighbours share a pair of coordinates in
which the final norm tells the order, the later pairs louder than the earlier, and every answer is
the sentence: words, a phrase, a [SEG] group and the end token.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

FIRST_LOGIT = 12.0
"""Lead of the first token's logit: sure enough to be said, and not so sure that the gradient of
its log probability, which the Eq 4 probe takes, is nothing."""
GROWTH = 0.5
"""How much louder each pair is than the one before, so that a sentence never runs backwards."""
STREAM = 0.03
"""About what the residual stream holds besides, per coordinate, with layers as of `init`."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A sentence to be written into the token tables of width ``width``."""

    ids: tuple[int, ...]
    """The last token of every prompt, then the answer's, the end token last; no two alike."""
    width: int

    @property
    def coordinates(self) -> range:
        """Those that the sentence takes: a pair for each step, at the end of the width."""
        return range(self.width - 2 * (len(self.ids) - 1), self.width)

    @property
    def minus(self) -> range:
        """The second of each pair, which the final norm turns round."""
        return self.coordinates[1::2]

    def rows(self) -> Tensor:
        """Rows ``[len(ids), width]`` of the sentence's tokens, the same in both tables."""
        if len(set(self.ids)) < len(self.ids):
            raise ValueError(f"a token stands twice in the sentence: {self.ids}")
        if self.coordinates.start < 0:
            raise ValueError(f"{len(self.ids)} tokens do not fit into a width of {self.width}")
        rows = torch.zeros(len(self.ids), self.width)
        first = _loudness(self.width)
        for step in range(len(self.ids) - 1):
            plus = self.coordinates.start + 2 * step
            loud = math.sqrt(first * (1 + GROWTH * step))
            rows[step, plus], rows[step, plus + 1] = loud, loud
            rows[step + 1, plus], rows[step + 1, plus + 1] = loud, -loud
        return rows


def _loudness(width: int) -> float:
    """Square of the first pair's coordinates, which gives the first step `FIRST_LOGIT`.

    With s the coordinate, the logit is 2 s^2 sqrt(D) / |x|, where |x|^2 = D STREAM^2 + 2 s^2.
    """
    limit, noise = FIRST_LOGIT**2, width * STREAM**2
    return (2 * limit + math.sqrt(4 * limit**2 + 16 * width * limit * noise)) / (8 * width)


def write_rows(name: str, tensor: Tensor, chain: Chain) -> None:
    """Put what the sentence needs into one tensor of a LLaVA, in place, by its published name."""
    if name.endswith(("embed_tokens.weight", "lm_head.weight")):
        tensor[list(chain.ids)] = chain.rows().to(tensor.dtype)
    elif name.endswith("language_model.model.norm.weight"):
        tensor[list(chain.minus)] = -1.0
    elif name.startswith("language_model.") and name.endswith(_TO_STREAM):
        tensor[list(chain.coordinates)] = 0.0  # no layer speaks into the sentence


_TO_STREAM = ("o_proj.weight", "down_proj.weight")


def init(name: str, tensor: Tensor, *, n_layers: int) -> None:
    """Random values of a tensor by its published name, in place.

    Layers add little to the residual stream (`STREAM`), so that it is still the token's own row.

    Args:
        name: As checkpoints on the hub spell it.
        tensor: Any format.
        n_layers: Decoder layers.
    """
    if name.endswith("bias"):
        tensor.zero_()
    elif tensor.ndim == 1 and name.endswith("weight"):
        tensor.fill_(1.0)
    elif name.startswith("language_model.") and name.endswith(_TO_STREAM):
        tensor.normal_(std=0.02 / math.sqrt(tensor.shape[1] * 2 * n_layers))
    else:
        tensor.normal_(std=0.02)


def sentence(words: Sequence[int], *, last: int, new: Sequence[int], end: int) -> tuple[int, ...]:
    """Ids of ``WORDS <p> WORD </p> [SEG] group, end`` behind the prompt's last token.

    Args:
        words: Ids of at least two different words; the last of them is the phrase.
        last: Id of the last token of every prompt.
        new: Ids of the [SEG] group, ``<p>`` and ``</p>``, in this order.
        end: Id of the end token.

    >>> sentence([7, 8, 9], last=1, new=[20, 21, 22, 30, 31], end=2)
    (1, 7, 8, 30, 9, 31, 20, 21, 22, 2)
    """
    *group, opens, closes = new
    return (last, *words[:-1], opens, words[-1], closes, *group, end)
