"""G of Eq 2: the Task Granularity Classifier and the rule for grounded conversations.

Paper 3.2.1: BERT's vector of the query, two hidden layers of 256 and 128, three outputs. Three
outputs cannot say "leave the image alone", so a query for a description with interleaved masks
bypasses MagCrop by rule (paper 4.3; model protocol 1).
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

from geomag.data.benchmarks import Granularity
from geomag.errors import WeightsError
from geomag.io import read_json, write_json
from geomag.magcrop.text_encoder import TextEncoder
from geomag.sealed import publish, seal, sealed

LABELS = (Granularity.IMAGE, Granularity.REGION, Granularity.PIXEL)
WEIGHTS = "model.safetensors"

_MASKS = re.compile(r"\b(masks?|segment\w*|outlines?)\b", re.IGNORECASE)
_MANY = re.compile(r"\b(masks|each|every|objects|phrases|interlea\w+)\b", re.IGNORECASE)
_WHOLE = re.compile(
    r"\b(descri\w+|captions?|explain|summar\w+|overview|narrat\w+|conversation|interlea\w+)\b",
    re.IGNORECASE,
)


class GranularityClassifier(nn.Module):
    """Fully connected layers from a text vector to three logits."""

    def __init__(
        self, width: int, hidden: Sequence[int] = (256, 128), dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.width, self.hidden, self.dropout = width, tuple(hidden), dropout
        sizes = (width, *hidden)
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], len(LABELS)))

    def forward(self, vectors: Tensor) -> Tensor:
        """Logits ``[B, 3]`` in the order of `LABELS`, from vectors ``[B, width]``."""
        return self.layers(vectors)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What MagCrop is to do for one query."""

    granularity: Granularity | None
    """None leaves the image as it is: a grounded conversation, or too little confidence."""
    confidence: float
    """Largest softmax output, in [0, 1]."""
    bypassed: bool = False
    """A grounded conversation, by rule."""


class GranularityJudge:
    """Encoder and classifier together: queries in, judgements out."""

    def __init__(
        self,
        encoder: TextEncoder,
        classifier: GranularityClassifier,
        *,
        tau: float = 0.0,
        gcg_bypass: bool = True,
    ) -> None:
        self.encoder = encoder
        self.classifier = classifier.eval()
        self.tau = tau
        self.gcg_bypass = gcg_bypass

    @torch.no_grad()
    def judge(self, queries: Sequence[str]) -> list[Judgement]:
        """One judgement per query: the words alone, without image token or turn markers."""
        if not queries:
            return []
        chances = self.classifier(self.encoder.encode(queries)).softmax(dim=-1)
        found = []
        for query, row in zip(queries, chances, strict=True):
            best = int(row.argmax())
            confidence = float(row[best])
            bypassed = self.gcg_bypass and is_gcg(query)
            sure = not bypassed and confidence >= self.tau
            found.append(Judgement(LABELS[best] if sure else None, confidence, bypassed))
        return found


def is_gcg(query: str) -> bool:
    """Whether a query asks for a general description with a mask per phrase.

    >>> is_gcg("Describe this image in detail with interleaved masks for the phrases.")
    True
    >>> is_gcg("Mark the red ship in this image with a mask.")
    False
    """
    return all(pattern.search(query) for pattern in (_MASKS, _MANY, _WHOLE))


def save_classifier(
    folder: Path,
    classifier: GranularityClassifier,
    *,
    encoder_digest: str,
    metrics: dict[str, Any],
) -> str:
    """Publish weights, shape and metrics as one whole folder; returns its digest."""
    state = {k: v.detach().cpu().contiguous() for k, v in classifier.state_dict().items()}
    shape = {
        "width": classifier.width,
        "hidden": list(classifier.hidden),
        "dropout": classifier.dropout,
        "labels": [str(label) for label in LABELS],
        "encoder_digest": encoder_digest,
    }
    with publish(folder) as fresh:
        save_file(state, fresh / WEIGHTS)
        write_json(fresh / "config.json", shape)
        write_json(fresh / "metrics.json", metrics)
        return seal(fresh)


def load_classifier(folder: Path, *, encoder_digest: str) -> GranularityClassifier:
    """Read what `save_classifier` wrote.

    Raises:
        WeightsError: If it is absent, half-written, changed since, of other labels or layers, or
            was trained on another encoder.
    """
    remedy = "run `geomag train granularity`"
    sealed(folder, verify=True)
    shape = read_json(folder / "config.json")
    if shape["encoder_digest"] != encoder_digest:
        raise WeightsError(
            str(folder), f"trained on encoder {shape['encoder_digest']}", encoder_digest, remedy
        )
    if shape["labels"] != [str(label) for label in LABELS]:
        raise WeightsError(str(folder), f"labels {shape['labels']}", str(LABELS), remedy)
    classifier = GranularityClassifier(shape["width"], shape["hidden"], shape["dropout"])
    try:
        classifier.load_state_dict(load_file(folder / WEIGHTS), strict=True)
    except RuntimeError as wrong:
        raise WeightsError(str(folder / WEIGHTS), str(wrong), remedy=remedy) from None
    classifier.eval()
    return classifier
