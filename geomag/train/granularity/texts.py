"""Queries that teach the Task Granularity Classifier, by template, so that some are held out.

RSVQA and segmentation prompts come from few templates; a random split of filled texts would put
the same wording on both sides and measure nothing (protocols/model#granularity).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from geomag.data.benchmarks import BENCHMARKS, Granularity, Task
from geomag.data.prompts import TRAINING
from geomag.seeds import generator
from geomag.train.granularity import wordings as words

Part = Literal["train", "val", "test"]

_AROUND: dict[Part, tuple[str, ...]] = {
    "train": ("{x}", "{x}", "Please look at the image. {x}", "{x} Thanks.", "Question: {x}"),
    "val": ("{x}", "{x} Be brief.", "Hello. {x}"),
    "test": ("{x}", "{x} Keep it short.", "From this picture: {x}"),
}
"""What stands around a query, whatever its task; each part has its own."""

_SUBJECT = {Task.REFERRING: "{phrase}", Task.ROC: "{box}", Task.SCENE: "{classes}"}


@dataclass(frozen=True, slots=True)
class Template:
    """One wording of one task."""

    text: str
    task: Task
    part: Part

    @property
    def granularity(self) -> Granularity:
        """G, as the benchmarks of its task have it."""
        return _LEVEL[self.task]


_LEVEL = {b.task: b.granularity for b in BENCHMARKS.values()}
_OWN: dict[Task, tuple[str, ...]] = {
    Task.CAPTION: words.CAPTION,
    Task.SCENE: words.SCENE,
    Task.VQA: words.VQA,
    Task.ROC: words.ROC,
    Task.REFERRING: words.REFERRING,
    Task.GCG: words.GCG,
}


def templates(seed: int) -> list[Template]:
    """All wordings with the part each belongs to: of our own, 3/5 train, 1/5 val, 1/5 test.

    The prompts that the model is trained and evaluated with (`geomag.data.prompts`) are always in
    the train part: they must be right, and say nothing about the wordings of others.
    """
    parts: tuple[Part, ...] = ("test", "val", "train", "train", "train")
    found = []
    for task, own in _OWN.items():
        if task is not Task.VQA:  # its prompts stand around a question: `_fill_once`
            used = (text.replace("{x}", _SUBJECT.get(task, "")) for text in TRAINING[task])
            found += [Template(text, task, "train") for text in used]
        order = generator(seed, "templates", task).permutation(len(own))
        found += [
            Template(own[int(index)], task, parts[rank % 5]) for rank, index in enumerate(order)
        ]
    return found


def bare_templates() -> list[Template]:
    """What a task is asked by without a verb, for the task head's training alone."""
    return [Template(text, task, "train") for task, own in words.BARE.items() for text in own]


def fill(template: Template, seed: int, n: int) -> list[str]:
    """Up to ``n`` different texts of a template, a function of the seed and the template alone."""
    rng = generator(seed, "fill", template.text)
    return list(dict.fromkeys(_fill_once(template, rng) for _ in range(n)))


def _fill_once(template: Template, rng: np.random.Generator) -> str:
    text = template.text.format(
        noun=_pick(rng, words.NOUNS),
        other=_pick(rng, words.NOUNS),
        others=_plural(_pick(rng, words.NOUNS)),
        thing=_thing(rng),
        things=_plural(_thing(rng)),
        colour=_pick(rng, words.COLOURS),
        place=_pick(rng, words.PLACES),
        phrase=_phrase(rng),
        box=_box(rng),
        classes=_classes(rng),
    )
    around = _AROUND[template.part]
    if template.task is Task.VQA and template.part == "train":
        around += TRAINING[Task.VQA]
    return _pick(rng, around).format(x=text)


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _classes(rng: np.random.Generator) -> str:
    count = int(rng.integers(3, len(words.SCENES) + 1))
    return ", ".join(words.SCENES[int(i)] for i in rng.permutation(len(words.SCENES))[:count])


def _plural(noun: str) -> str:
    return f"{noun}es" if noun.endswith(("s", "x")) else f"{noun}s"


def _thing(rng: np.random.Generator) -> str:
    adjective = _pick(rng, (*words.SIZES, *words.COLOURS)) if rng.random() < 0.5 else ""
    return f"{adjective} {_pick(rng, words.NOUNS)}".strip()


def _phrase(rng: np.random.Generator) -> str:
    place = (
        "",
        f" on the {_pick(rng, words.PLACES)}",
        f" next to the {_pick(rng, words.NOUNS)}",
        f" in the {_pick(rng, words.PLACES)} of the image",
        f" between the {_pick(rng, words.NOUNS)} and the {_pick(rng, words.NOUNS)}",
    )
    return _pick(rng, ("the ", "a ", "The ", "", "all ")) + _thing(rng) + _pick(rng, place)


def _box(rng: np.random.Generator) -> str:
    x0, y0 = rng.uniform(0, 0.7, 2)
    x1, y1 = x0 + rng.uniform(0.05, 0.3), y0 + rng.uniform(0.05, 0.3)
    return f"[{x0:.2f}, {y0:.2f}, {x1:.2f}, {y1:.2f}]"
