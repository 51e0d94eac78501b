"""[SEG] groups in token sequences: where they stand, and what a text with them says."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Groups:
    """Complete groups of one answer."""

    starts: tuple[int, ...]
    """Index of each group's first token."""
    n_incomplete: int
    """[SEG] runs that were cut short; they are dropped and counted."""


def find_groups(tokens: Sequence[int], seg_ids: Sequence[int]) -> Groups:
    """Groups of N consecutive [SEG] tokens in their order.

    >>> find_groups([5, 90, 91, 7, 90], [90, 91])
    Groups(starts=(1,), n_incomplete=1)
    """
    wanted, n = list(seg_ids), len(seg_ids)
    starts, inside, loose = [], 0, 0
    for index, token in enumerate(tokens):
        if inside:
            inside -= 1
            continue
        if list(tokens[index : index + n]) == wanted:
            starts.append(index)
            inside = n - 1
        elif token == wanted[0]:
            loose += 1
    return Groups(tuple(starts), loose)


def label_groups(labels: Tensor, seg_ids: Sequence[int]) -> Tensor:
    """``[K, 2]`` (row, column of the first token) of the groups in ``labels`` ``[B, S]``."""
    n = len(seg_ids)
    size = labels.shape[1]
    match = torch.ones_like(labels[:, : size - n + 1], dtype=torch.bool)
    for offset, token in enumerate(seg_ids):
        match &= labels[:, offset : size - n + 1 + offset] == token
    return match.nonzero()


def with_seg_marks(text: str, seg_names: Sequence[str]) -> str:
    """Generated text with each complete group written ``[SEG]`` and stray tokens removed.

    >>> with_seg_marks("It is [SEG0] [SEG1]. [SEG1]", ["[SEG0]", "[SEG1]"])
    'It is [SEG].'
    """
    group = r"\s*".join(re.escape(name) for name in seg_names)
    marked = re.sub(group, "[SEG]", text)
    for name in seg_names:
        marked = marked.replace(name, "")
    return " ".join(marked.split())
