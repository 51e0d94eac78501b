"""The Task Granularity Classifier (G of Eq 2), and the head that names the task of a prompt.

Paper 3.2.1: BERT's vector of the query, two hidden layers of 256 and 128, three outputs. Three
outputs cannot say "leave the image alone", so a query for a description with interleaved masks
bypasses MagCrop by rule (paper 4.3; protocols/model#granularity). They cannot name one of six tasks
either, which framing needs (`geomag.inference.framing`), so a second head of the same layers reads
the same frozen vector. The two share no weight: the paper's decision is the same with or without
it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from geomag.data.benchmarks import Granularity, Task
from geomag.errors import WeightsError
from geomag.io import read_json, write_json
from geomag.magcrop.text_encoder import TextEncoder
from geomag.manifest import publish, read_manifest, write_manifest

LABELS = (Granularity.IMAGE, Granularity.REGION, Granularity.PIXEL)
TASKS = tuple(Task)
TASK_CONFIDENCE = 0.8
"""Least confidence of the task head at which a prompt is framed: on the wordings that stop training
early it is that sure of 90 %, and right in 99.4 % of those (docs/decisions/0100-one-path.md)."""
WEIGHTS = "model.safetensors"
TASK_WEIGHTS = "task.safetensors"
_REMEDY = "run `geomag train granularity`"

_MASKS = re.compile(r"\b(masks?|segment\w*|outlines?)\b", re.IGNORECASE)
_MANY = re.compile(r"\b(masks|each|every|objects|phrases|interlea\w+)\b", re.IGNORECASE)
_WHOLE = re.compile(
    r"\b(descri\w+|captions?|explain|summar\w+|overview|narrat\w+|conversation|interlea\w+)\b",
    re.IGNORECASE,
)


class TextHead(nn.Module):
    """Fully connected layers from a text vector to logits."""

    def __init__(
        self, width: int, n_outputs: int, hidden: Sequence[int] = (256, 128), dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.width, self.hidden, self.dropout = width, tuple(hidden), dropout
        sizes = (width, *hidden)
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], n_outputs))

    def forward(self, vectors: Tensor) -> Tensor:
        """Logits ``[B, n_outputs]`` from vectors ``[B, width]``."""
        return self.layers(vectors)  # type: ignore[no-any-return]


class GranularityClassifier(TextHead):
    """The paper's head: three logits in the order of `LABELS`."""

    def __init__(
        self, width: int, hidden: Sequence[int] = (256, 128), dropout: float = 0.1
    ) -> None:
        super().__init__(width, len(LABELS), hidden, dropout)


class TaskClassifier(TextHead):
    """Our head: six logits in the order of `TASKS`."""

    def __init__(
        self, width: int, hidden: Sequence[int] = (256, 128), dropout: float = 0.1
    ) -> None:
        super().__init__(width, len(TASKS), hidden, dropout)


@dataclass(frozen=True, slots=True)
class GranularityDecision:
    """What MagCrop is to do for one query."""

    granularity: Granularity | None
    """Level of the query; None leaves the image as it is: a grounded conversation, or too little
    confidence."""
    confidence: float
    """Largest softmax output, in [0, 1]."""
    bypassed: bool = False
    """Whether the rule for grounded conversations applied."""


@dataclass(frozen=True, slots=True)
class TaskGuess:
    """The most likely task of one query."""

    task: Task
    confidence: float
    """Softmax output of the class, in [0, 1]."""


class PromptClassifier:
    """Text encoder with both heads: queries in; granularity or task out."""

    def __init__(
        self,
        encoder: TextEncoder,
        granularity: GranularityClassifier,
        task: TaskClassifier,
        *,
        tau: float = 0.0,
        gcg_bypass: bool = True,
    ) -> None:
        self.encoder = encoder
        self.granularity_head = granularity.eval()
        self.task_head = task.eval()
        self.tau = tau
        self.gcg_bypass = gcg_bypass

    @torch.no_grad()
    def granularity(self, queries: Sequence[str]) -> list[GranularityDecision]:
        """One decision per query: the words alone, without image token or turn markers."""
        if not queries:
            return []
        chances = self.granularity_head(self.encoder.encode(queries)).softmax(dim=-1)
        decisions = []
        for query, row in zip(queries, chances, strict=True):
            best = int(row.argmax())
            confidence = float(row[best])
            bypassed = self.gcg_bypass and is_gcg(query)
            sure = not bypassed and confidence >= self.tau
            decisions.append(
                GranularityDecision(LABELS[best] if sure else None, confidence, bypassed)
            )
        return decisions

    @torch.no_grad()
    def task(self, query: str) -> TaskGuess:
        """The task that a query asks for, whatever its wording."""
        (row,) = self.task_head(self.encoder.encode([query])).softmax(dim=-1)
        best = int(row.argmax())
        return TaskGuess(TASKS[best], float(row[best]))


def is_gcg(query: str) -> bool:
    """Whether a query asks for a general description with a mask per phrase.

    >>> is_gcg("Describe this image in detail with interleaved masks for the phrases.")
    True
    >>> is_gcg("Mark the red ship in this image with a mask.")
    False
    """
    return all(pattern.search(query) for pattern in (_MASKS, _MANY, _WHOLE))


def save_classifiers(
    folder: Path,
    granularity: GranularityClassifier,
    task: TaskClassifier,
    *,
    encoder_digest: str,
    metrics: dict[str, Any],
) -> str:
    """Publish both heads, their shape and metrics as one whole folder; returns its digest."""
    shape = {
        "width": granularity.width,
        "hidden": list(granularity.hidden),
        "dropout": granularity.dropout,
        "labels": [str(label) for label in LABELS],
        "tasks": [str(label) for label in TASKS],
        "encoder_digest": encoder_digest,
    }
    with publish(folder) as fresh:
        for head, file in ((granularity, WEIGHTS), (task, TASK_WEIGHTS)):
            state = {k: v.detach().cpu().contiguous() for k, v in head.state_dict().items()}
            save_file(state, fresh / file)
        write_json(fresh / "config.json", shape)
        write_json(fresh / "metrics.json", metrics)
        return write_manifest(fresh)


def load_classifiers(
    folder: Path, *, encoder_digest: str
) -> tuple[GranularityClassifier, TaskClassifier]:
    """Read what `save_classifiers` wrote.

    Raises:
        WeightsError: If it is absent, half-written, changed since, of other labels or layers, was
            trained on another encoder, or was written before there was a task head.
    """
    read_manifest(folder, verify=True)
    shape = read_json(folder / "config.json")
    if shape["encoder_digest"] != encoder_digest:
        raise WeightsError(
            str(folder), f"trained on encoder {shape['encoder_digest']}", encoder_digest, _REMEDY
        )
    for key, labels in (("labels", LABELS), ("tasks", TASKS)):
        wanted = [str(label) for label in labels]
        if key not in shape:
            raise WeightsError(
                str(folder), f"written by an earlier version, without {key}", str(wanted), _REMEDY
            )
        if shape[key] != wanted:
            raise WeightsError(str(folder), f"{key} {shape[key]}", str(wanted), _REMEDY)
    granularity = GranularityClassifier(shape["width"], shape["hidden"], shape["dropout"])
    task = TaskClassifier(shape["width"], shape["hidden"], shape["dropout"])
    for head, file in ((granularity, WEIGHTS), (task, TASK_WEIGHTS)):
        try:
            head.load_state_dict(load_file(folder / file), strict=True)
        except RuntimeError as wrong:
            raise WeightsError(str(folder / file), str(wrong), remedy=_REMEDY) from None
        head.eval()
    return granularity, task
