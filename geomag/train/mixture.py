"""What an update asks: samples drawn by task shares, and the questions drawn for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from geomag.config.schema import PromptConfig, TrainConfig
from geomag.data.benchmarks import Task
from geomag.data.prompts import answer_of, evaluation_prompt, training_prompt
from geomag.data.records import Record
from geomag.seeds import generator


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a row with the wording and reference drawn for it."""

    index: int
    """Position of the record in its sample."""
    prompt: str
    answer: str


class Askable(Protocol):
    """Records that are asked together: prepared, or only planned."""

    @property
    def records(self) -> tuple[Record, ...]:
        """Records of one task and image."""
        ...

    @property
    def task(self) -> Task:
        """Task shared by all records."""
        ...


S = TypeVar("S", bound=Askable)


@dataclass(frozen=True, slots=True)
class Drawn(Generic[S]):
    """One row of an update: a look at an image and what is asked about it."""

    sample: S
    asked: tuple[Asked, ...]


class Mixture(Generic[S]):
    """Rows of every update, a function of its number alone."""

    def __init__(
        self,
        samples: Mapping[str, Sequence[S]],
        config: TrainConfig,
        prompt: PromptConfig,
        *,
        n_seg: int,
    ) -> None:
        self._samples = {name: list(rows) for name, rows in samples.items() if rows}
        self._config = config
        self._prompt = prompt
        self._n_seg = n_seg
        tasks = [rows[0].task for rows in self._samples.values()]
        weights = np.array(
            [getattr(config, f"share_{task.value}") / tasks.count(task) for task in tasks]
        )
        self._names = list(self._samples)
        self._weights = weights / weights.sum()

    def rows(self, update: int, size: int) -> list[Drawn[S]]:
        """Rows drawn by task shares, each with at most ``train.questions`` of its questions."""
        rng = generator(self._config.seed, "joint", update)
        drawn = []
        for name in rng.choice(self._names, size, p=self._weights):
            rows = self._samples[str(name)]
            sample = rows[int(rng.integers(len(rows)))]
            drawn.append(Drawn(sample, self._asked(sample, rng)))
        return drawn

    def _asked(self, sample: S, rng: np.random.Generator) -> tuple[Asked, ...]:
        """Some of a sample's questions; each reference of a caption is one of them."""
        open_ones = [
            (index, choice)
            for index, record in enumerate(sample.records)
            for choice in range(max(1, len(record.answers)))
        ]
        chosen = rng.permutation(len(open_ones))[: self._config.questions]
        return tuple(self._one(sample, open_ones[i], rng) for i in chosen)

    def _one(self, sample: S, place: tuple[int, int], rng: np.random.Generator) -> Asked:
        index, choice = place
        record = sample.records[index]
        answer = answer_of(record, n_seg=self._n_seg, choice=choice)
        return Asked(index, self._wording(record, rng), answer)

    def _wording(self, record: Record, rng: np.random.Generator) -> str:
        settings = self._prompt
        if settings.wordings == "evaluation":
            return evaluation_prompt(record, scene=settings.scene, decimals=settings.box_decimals)
        return training_prompt(record, rng, scene=settings.scene, decimals=settings.box_decimals)
