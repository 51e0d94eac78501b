"""Losses of the joint training: CE, BCE, Dice, and our attention alignment.

See protocols/model#training.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from geomag.config.schema import CeMean
from geomag.model.packed import IGNORE, Packed


def answer_loss(logits: Tensor, packed: Packed, *, mean: CeMean = "token") -> Tensor:
    """Cross-entropy on answer tokens.

    Args:
        logits: ``[A, V]`` of the answers' tokens (`Vlm.answer_logits`).
        packed: Holds the labels.
        mean: Over all tokens; over answers of the mean over each one's tokens, so that a yes counts
            as much as a caption of forty words; or over rows of the mean over each one's answers.
    """
    targets = packed.labels[:, 1:]
    wanted = targets != IGNORE
    logits = logits.float()
    if mean == "token":
        return F.cross_entropy(logits, targets[wanted])
    losses = F.cross_entropy(logits, targets[wanted], reduction="none")
    begins = wanted & ~F.pad(wanted, (1, 0))[:, :-1]
    answer = begins[wanted].long().cumsum(0) - 1
    share = 1.0 / torch.bincount(answer).float()
    if mean == "row":
        row = begins.nonzero()[:, 0]
        share = share / torch.bincount(row)[row]
    return (losses * share[answer]).sum() / n_answers(packed, mean=mean)


def n_answers(packed: Packed, *, mean: CeMean) -> int:
    """What `answer_loss` has averaged over: to join the means of two passes."""
    wanted = packed.labels[:, 1:] != IGNORE
    if mean == "token":
        return int(wanted.sum())
    if mean == "row":
        return int(wanted.any(1).sum())
    return int((wanted & ~F.pad(wanted, (1, 0))[:, :-1]).sum())


def bce_loss(logits: Tensor, truth: Tensor, *, positive_weight: float = 1.0) -> Tensor:
    """Binary cross-entropy, mean over pixels and over masks, fp32; both ``[K, h, w]``."""
    weight = logits.new_tensor(positive_weight, dtype=torch.float32)
    return F.binary_cross_entropy_with_logits(logits.float(), truth.float(), pos_weight=weight)


def dice_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """LISA's Dice, mean over masks: ``1 - (2 sum(pt)/1000 + e)/(sum p/1000 + sum t/1000 + e)``."""
    p = logits.float().sigmoid().flatten(1)
    t = truth.float().flatten(1)
    both = (p * t).sum(1) / 1000
    each = p.sum(1) / 1000 + t.sum(1) / 1000
    return (1 - (2 * both + 1e-6) / (each + 1e-6)).mean()


def alignment_loss(attention: Tensor, target: Tensor) -> Tensor:
    """``-log`` of the attention mass inside the target: ours, decisions/0009.

    Args:
        attention: ``[B, S]``, one row of head-mean attention per sample.
        target: ``[B, S]``, share of each column's cell that the target covers, 0 on text.

    Returns:
        Mean over the samples whose target is not empty; 0 when there is none.
    """
    has_target = target.sum(1) > 0
    mass = (attention * target.clamp(max=1)).sum(1)
    losses = -(mass + 1e-6).log()
    return (losses * has_target).sum() / has_target.sum().clamp(min=1)
