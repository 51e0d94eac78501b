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
from geomag.evaluate.score.gcg import phrases_of
from geomag.evaluate.score.inputs import Joined, Prediction, TrainFacts
from geomag.geometry import Rle, encode_mask

CANDIDATES = 50
"""Most frequent train captions among which the most central one is looked for."""


def baselines(
    task: Task, headline: Joined, facts: TrainFacts, *, blank: Joined | None
) -> dict[str, Joined]:
    """Every baseline of a split by name: trivial ones, windows as masks, the blank image's answers.

    Args:
        task: Task of the benchmark.
        headline: Records of the split with the predictions of the first arm.
        facts: Facts of the train split.
        blank: The same records with what the model says without a picture; None if not asked.
    """
    found = trivial(task, headline.records, facts)
    if task is Task.REFERRING:
        found |= window_masks(headline)
    if blank is not None and not blank.is_silent:
        found["blank_image"] = blank
    return found


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
        return _constant_caption(rows, facts) | _class_template(rows, facts) | _human(rows)
    return _majority(task, rows, facts) | _question_only(rows, facts)


def window_masks(joined: Joined) -> dict[str, Joined]:
    """The last window of each answer as its mask: what Eq 4 knows before anything is segmented.

    Nothing where no answer has windows (``crop_boxes``): other people's, and the arm ``plain``.
    """
    boxes = [p.extra.get("crop_boxes") if p is not None else None for p in joined.predictions]
    if not any(boxes):
        return {}
    filled = tuple(
        Prediction(masks=(_box(record, found[-1]),)) if found else None
        for record, found in zip(joined.records, boxes, strict=True)
    )
    return {"box_of_heatmap": Joined(joined.records, filled)}


def _box(record: Record, box: Sequence[float]) -> Rle:
    x0, y0, x1, y1 = (max(0, round(edge)) for edge in box)
    mask = np.zeros((record.height, record.width), dtype=bool)
    mask[y0:y1, x0:x1] = True
    return encode_mask(mask)


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
    answers = {kind: _commonest(found) for kind, found in counts.items()}
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


def _class_template(rows: tuple[Record, ...], facts: TrainFacts) -> dict[str, Joined]:
    """The most central train caption of the image's true class: all that a perfect class gives."""
    if not facts.captions_of_class or not all(record.kind for record in rows):
        return {}
    of_class = {kind: central(found) for kind, found in facts.captions_of_class.items()}
    found = tuple(Prediction(text=of_class.get(r.kind, "")) for r in rows)
    return {"class_template": Joined(rows, found)}


def _question_only(rows: tuple[Record, ...], facts: TrainFacts) -> dict[str, Joined]:
    """The commonest train answer to the same words; to new words, that of the question's type."""
    if not facts.by_question:
        return {}
    by_words = {key: _commonest(found) for key, found in facts.by_question.items()}
    by_type = {kind: _commonest(found) for kind, found in facts.answers.items()}
    found = tuple(by_words.get((r.kind, r.text)) or by_type.get(r.kind) for r in rows)
    return {"question_only": Joined(rows, found)}


def _commonest(counts: Counter[str]) -> Prediction:
    return Prediction(text=min(counts, key=lambda answer: (-counts[answer], answer)))


def _human(rows: tuple[Record, ...]) -> dict[str, Joined]:
    """The first reference against the others: what one person scores."""
    several = tuple(record for record in rows if len(record.answers) > 1)
    if not several:
        return {}
    rest = tuple(replace(record, answers=record.answers[1:]) for record in several)
    first = tuple(Prediction(text=record.answers[0]) for record in several)
    return {"first_reference_against_rest": Joined(rest, first)}


def central(captions: Mapping[str, int]) -> str:
    """The one of the most frequent captions that shares most words with all the others.

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
