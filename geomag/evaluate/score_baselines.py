"""What a predictor that never looks at the image gets: printed beside every score.

Baselines are ordinary predictions, scored by the same code as any model's.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from geomag.data.benchmarks import Task
from geomag.data.records import Record
from geomag.evaluate.score_gcg import phrases_of
from geomag.evaluate.score_inputs import Joined, Prediction, TrainFacts
from geomag.geometry import Rle, encode_mask

CANDIDATES = 50
"""Most frequent train captions among which the most central one is looked for."""


def trivial(task: Task, records: Sequence[Record], facts: TrainFacts) -> dict[str, Joined]:
    """Trivial predictions of a split by baseline name.

    Majorities come from the train split; a benchmark without one (the scene sets) uses its own
    test labels, and the name says ``of_test``.
    """
    rows = tuple(records)
    if task is Task.REFERRING:
        return {"all_foreground": Joined(rows, tuple(_everything(r, 1) for r in rows))}
    if task is Task.GCG:
        return _constant_description(rows, facts)
    if task is Task.CAPTION:
        return _constant_caption(rows, facts) | _human(rows)
    return _majority(task, rows, facts)


def _majority(task: Task, rows: tuple[Record, ...], facts: TrainFacts) -> dict[str, Joined]:
    by_type = task is Task.VQA
    counts = facts.answers
    name = "majority_per_type" if by_type else "majority_class"
    if not counts:
        name += "_of_test"
        counts = {}
        for record in rows:
            seen = counts.setdefault(record.kind if by_type else "", Counter())
            for answer in record.answers[:1]:
                seen[answer] += 1
    answers = {
        kind: Prediction(text=min(found, key=lambda a: (-found[a], a)))
        for kind, found in counts.items()
    }
    return {name: Joined(rows, tuple(answers.get(r.kind if by_type else "") for r in rows))}


def _everything(record: Record, n_masks: int, like: Prediction | None = None) -> Prediction:
    whole = _whole(record.height, record.width)
    return replace(like or Prediction(), masks=(whole,) * n_masks)


@cache
def _whole(height: int, width: int) -> Rle:
    return encode_mask(np.ones((height, width), dtype=bool))


def _constant_description(rows: tuple[Record, ...], facts: TrainFacts) -> dict[str, Joined]:
    captions = facts.captions or Counter(record.text for record in rows)
    if not captions:
        return {}
    constant = Prediction(text=central(captions))
    phrases = tuple(phrases_of(constant))
    constant = replace(constant, phrases=phrases)
    name = "constant_caption" if facts.captions else "constant_caption_of_test"
    found = tuple(_everything(r, len(phrases), constant) for r in rows)
    return {name: Joined(rows, found)}


def _constant_caption(rows: tuple[Record, ...], facts: TrainFacts) -> dict[str, Joined]:
    captions = facts.captions or Counter(answer for record in rows for answer in record.answers)
    if not captions:
        return {}
    name = "constant_caption" if facts.captions else "constant_caption_of_test"
    return {name: Joined(rows, (Prediction(text=central(captions)),) * len(rows))}


def _human(rows: tuple[Record, ...]) -> dict[str, Joined]:
    """The first reference against the others: what one person scores."""
    several = tuple(record for record in rows if len(record.answers) > 1)
    if not several:
        return {}
    rest = tuple(replace(record, answers=record.answers[1:]) for record in several)
    first = tuple(Prediction(text=record.answers[0]) for record in several)
    return {"first_reference_against_rest": Joined(rest, first)}


def central(captions: Mapping[str, int]) -> str:
    """Of the most frequent captions, the one that shares most words with all the others.

    >>> central({"a red ship": 2, "a blue ship": 1, "a long road": 1})
    'a red ship'
    """
    frequent = sorted(captions, key=lambda text: (-captions[text], text))[:CANDIDATES]
    words = {text: frozenset(text.lower().split()) for text in captions}

    def overlap(text: str) -> float:
        mine = words[text]
        return sum(
            n * 2 * len(mine & words[other]) / max(1, len(mine) + len(words[other]))
            for other, n in captions.items()
        )

    return max(frequent, key=overlap)
