"""What the scorers of one run share: settings, train facts, tokenised captions, text vectors.

Java and the text encoder start slowly, so `ScoringContext` is asked for everything of a run at once
(`warm_*`) and answers from memory afterwards.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from geomag.config.schema import ScoreConfig
from geomag.errors import ToolError
from geomag.evaluate.score.inputs import TrainFacts
from geomag.evaluate.score.vectors import SS_ENCODER, TextVectors, text_vectors
from geomag.metrics.caption import Captions, meteor_statistics, tokenise
from geomag.metrics.java import java_version
from geomag.metrics.tally import Estimator, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What one set of predictions is worth on one split."""

    n_images: int
    """Images the estimators weigh."""
    estimators: Mapping[str, Estimator]
    """The headline metrics by name."""
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    samples: Iterable[Mapping[str, Any]] = ()
    """One row per record, from which any other convention can be rebuilt; made when asked for."""

    def metrics(self) -> dict[str, float | None]:
        """Headline values; None where a metric is not available."""
        once = np.ones((1, self.n_images))
        return {name: tidy(estimate(once)[0]) for name, estimate in self.estimators.items()}


def tidy(value: float | Floats) -> float | None:
    """A plain number for JSON: 12 decimals, None for NaN."""
    number = float(value)
    return round(number, 12) if np.isfinite(number) else None


def tidied(values: Mapping[str, float | Floats]) -> dict[str, float | None]:
    """`tidy` over a table."""
    return {name: tidy(value) for name, value in values.items()}


@dataclass(slots=True)
class ScoringContext:
    """Settings and memory of one scoring run."""

    config: ScoreConfig = field(default_factory=ScoreConfig)
    facts: TrainFacts = field(default_factory=TrainFacts)
    cache: Path = Path("work/text_vectors")
    """Folder of cached text vectors."""
    gcg_encoder: str = SS_ENCODER
    """Encoder of the GCG recall's text test; BERT-base in the paper profile."""
    allows_missing: bool = True
    """Whether a score with more missing predictions than `ScoreConfig` allows is given at all."""
    keeps_samples: bool = True
    """Whether one row per record is kept: RSVQA-HR has 328,331."""
    tokenizer: str = ""
    meteor_missing: str = ""
    """Why METEOR is not available; "" when it is."""
    _tokens: dict[str, str] = field(default_factory=dict)
    _meteor: dict[Captions, Floats] = field(default_factory=dict)
    _vectors: dict[str, TextVectors] = field(default_factory=dict)

    def captions(self, texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[Captions]:
        """Tokenise answers and references, one image each."""
        wanted = [
            text for pair in zip(texts, references, strict=True) for text in (pair[0], *pair[1])
        ]
        if lacking := [t for t in dict.fromkeys(wanted) if t not in self._tokens]:
            tokens, self.tokenizer = tokenise(lacking)
            self._tokens |= dict(zip(lacking, tokens, strict=True))
        return [
            Captions(self._tokens[text], tuple(self._tokens[r] for r in refs))
            for text, refs in zip(texts, references, strict=True)
        ]

    def meteor(self, captions: Sequence[Captions]) -> Floats | None:
        """METEOR's statistics, or None with `meteor_missing` set."""
        lacking = [c for c in dict.fromkeys(captions) if c not in self._meteor]
        if lacking and not self.meteor_missing:
            try:
                rows = meteor_statistics(lacking)
                self._meteor |= {c: rows[i] for i, c in enumerate(lacking)}
            except ToolError as missing:
                self.meteor_missing = str(missing)
        if self.meteor_missing:
            return None
        return np.stack([self._meteor[c] for c in captions]) if captions else np.zeros((0, 23))

    def vectors(self, texts: Sequence[str], encoder: str = SS_ENCODER) -> TextVectors:
        """Unit vectors of all texts."""
        held = self._vectors.get(encoder)
        if held is None or not set(texts) <= set(held.vectors):
            known = list(held.vectors) if held else []
            held = self._vectors[encoder] = text_vectors([*known, *texts], encoder, self.cache)
        return held

    def caption_protocol(self) -> dict[str, Any]:
        """How captions were scored, for the score file."""
        return {
            "toolkit": "pycocoevalcap 1.2",
            "tokenizer": self.tokenizer,
            "java": java_version(),
            "meteor": self.meteor_missing or "METEOR 1.5, en, normalised",
        }
