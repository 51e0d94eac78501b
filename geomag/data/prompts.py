"""Every word that goes into a prompt: templates, box text, escaping.

Protocols: model 3.2 and 5, pixel 8, region 2.10 and 3.7, image 4.7 and 5.5. Training draws from
several wordings per task; evaluation uses one, which scores record.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

import numpy as np

from geomag.data.benchmarks import BENCHMARKS, Task
from geomag.data.records import Record
from geomag.geometry import PixelBox

PROMPT_VERSION = "1"
"""Version that changes whenever a template of evaluation does; stands on every score."""

IMAGE_TOKEN = "<image>"  # noqa: S105 - a token of text, not a secret
PHRASE_TOKENS = ("<p>", "</p>")
SEG = "[SEG]"
"""A target in stored text; `with_seg_groups` writes the model's N tokens for it."""

ProbePrompt = Literal["task", "short", "where"]
SceneWording = Literal["classes", "short"]

EVALUATION: Mapping[Task, str] = {
    Task.REFERRING: "Mark {x} in this image with a mask.",
    Task.GCG: "Describe this image in detail with interleaved masks for the phrases.",
    Task.VQA: "{x}\nAnswer with a single word or short phrase.",
    Task.ROC: "What is the object in {x}? Answer in a few words.",
    Task.CAPTION: "Describe this image in one sentence.",
    Task.SCENE: "Which scene is this: {x}? Answer with one of these names only.",
}
"""The one wording per task that evaluation uses."""

TRAINING: Mapping[Task, tuple[str, ...]] = {
    Task.REFERRING: (
        EVALUATION[Task.REFERRING],
        "Segment {x} in this image.",
        "Please outline {x} with a mask.",
        "Where is {x}? Give its mask.",
        "Show the pixels of {x}.",
    ),
    Task.GCG: (
        EVALUATION[Task.GCG],
        "Describe the scene and give interleaved masks for the objects you name.",
        "Write a detailed description with interleaved segmentation masks.",
        "Explain what the image shows and interleave a mask after each phrase.",
    ),
    Task.VQA: (
        EVALUATION[Task.VQA],
        "{x}\nReply with one word or a short phrase.",
        "{x} Use a single word or phrase.",
        "Question: {x}\nGive a short answer.",
    ),
    Task.ROC: (
        EVALUATION[Task.ROC],
        "Which object is in the box {x}? Answer in a few words.",
        "Name the category of the object inside {x}.",
        "The box {x} holds one object. What is it?",
    ),
    Task.CAPTION: (
        EVALUATION[Task.CAPTION],
        "Give a short description of this image.",
        "Write one sentence about this image.",
        "Summarize the whole image in a sentence.",
    ),
    Task.SCENE: (
        EVALUATION[Task.SCENE],
        "Pick the scene class of this image out of {x}.",
        "Classify the whole image as one of {x}.",
        "Which of these names fits the image best: {x}?",
    ),
}
"""Wordings that training draws from; the first is evaluation's."""

SHORT_SCENE = "Name the {x} scene class of this image."
"""The set's title instead of its class list, hundreds of tokens for a tiny tokenizer."""

PROBE: Mapping[ProbePrompt, str] = {
    "task": "{task}",
    "short": "{task} Answer with a single word or short phrase.",
    "where": "Where is {x}?",
}
"""What the Eq 4 probe asks (protocols/model#probe): a mask prompt's first token says little."""

_ANSWER_REFERRING = "{seg}."
_BRACKETS = re.compile(r"<(/?[^<>\s]{1,24})>|\[(SEG\d*)\]", re.IGNORECASE)
_ROLES = re.compile(r"(USER|ASSISTANT)\s*:", re.IGNORECASE)


def frame(prompt: str) -> str:
    r"""``prompt`` in LLaVA's turn markers, with the image before it.

    >>> frame("Name it.")
    'USER: <image>\nName it. ASSISTANT:'
    """
    return f"USER: {IMAGE_TOKEN}\n{prompt} ASSISTANT:"


def seg_tokens(n_seg: int) -> tuple[str, ...]:
    """The N tokens of one target (Eq 1).

    >>> seg_tokens(3)
    ('[SEG0]', '[SEG1]', '[SEG2]')
    """
    return tuple(f"[SEG{n}]" for n in range(n_seg))


def with_seg_groups(text: str, n_seg: int) -> str:
    """``text`` with each ``[SEG]`` written as the model's group of N tokens.

    >>> with_seg_groups("<p> ship </p> [SEG]", 2)
    '<p> ship </p> [SEG0][SEG1]'
    """
    return text.replace(SEG, "".join(seg_tokens(n_seg)))


def escape(text: str) -> str:
    """User text as text: no control characters, nothing that reads as our tokens or turns.

    >>> escape("the <image> [SEG0] USER: ship")
    'the (image) (SEG0) USER - ship'
    """
    visible = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in text)
    plain, before = visible, ""
    while plain != before:  # what stands around a replaced marker may form a new one
        before = plain
        plain = _BRACKETS.sub(lambda found: f"({found.group(1) or found.group(2)})", plain)
    return " ".join(_ROLES.sub(r"\1 -", plain).split())


def box_text(box: PixelBox, *, width: int, height: int, decimals: int = 2) -> str:
    """A region as prompts give it: ``[x1, y1, x2, y2]``, shares of the image's sides.

    Rounded half up on the decimal value, because binary rounding of 0.855 gives 0.85
    (protocols/roc#boxes); clipped to [0, 1].

    >>> box_text(PixelBox(133, 237, 684, 672), width=800, height=800)
    '[0.17, 0.30, 0.86, 0.84]'
    """
    quantum = Decimal(1).scaleb(-decimals)
    shares = (
        min(max(Decimal(value) / Decimal(side), Decimal(0)), Decimal(1))
        for value, side in (
            (repr(float(box.x0)), width),
            (repr(float(box.y0)), height),
            (repr(float(box.x1)), width),
            (repr(float(box.y1)), height),
        )
    )
    return f"[{', '.join(str(s.quantize(quantum, ROUND_HALF_UP)) for s in shares)}]"


def subject(record: Record, *, classes: Sequence[str] = (), decimals: int = 2) -> str:
    """What fills ``{x}`` of a template: the phrase, question, box text or class list.

    A referring phrase loses its final full stop (protocols/referring#answers); text is escaped.
    """
    if record.task is Task.ROC:
        return box_text(
            record.boxes[0], width=record.width, height=record.height, decimals=decimals
        )
    if record.task is Task.SCENE:
        return ", ".join(classes)
    text = escape(record.text)
    return text.removesuffix(".").rstrip() if record.task is Task.REFERRING else text


def short_scene(benchmark: str) -> str:
    """The scene prompt that names the set instead of listing its classes.

    >>> short_scene("aid")
    'Name the AID scene class of this image.'
    """
    return SHORT_SCENE.format(x=BENCHMARKS[benchmark].title)


def evaluation_prompt(
    record: Record,
    *,
    classes: Sequence[str] = (),
    scene: SceneWording = "classes",
    decimals: int = 2,
) -> str:
    """The prompt of one record, unframed, in the wording that evaluation fixes.

    Args:
        record: Any task.
        classes: Display names in index order, for scenes.
        scene: ``short`` leaves the class list out.
        decimals: Of box text.
    """
    if record.task is Task.SCENE and scene == "short":
        return short_scene(record.benchmark)
    x = subject(record, classes=classes, decimals=decimals)
    return EVALUATION[record.task].format(x=x)


def training_prompt(
    record: Record,
    rng: np.random.Generator,
    *,
    classes: Sequence[str] = (),
    scene: SceneWording = "classes",
    decimals: int = 2,
) -> str:
    """The prompt of one record, unframed, in a wording drawn from those of its task."""
    if record.task is Task.SCENE and scene == "short":
        return short_scene(record.benchmark)
    wordings = TRAINING[record.task]
    chosen = wordings[int(rng.integers(len(wordings)))]
    return chosen.format(x=subject(record, classes=classes, decimals=decimals))


def answer_of(record: Record, *, n_seg: int, choice: int = 0) -> str:
    """The text that training teaches for one record.

    Args:
        record: Any task.
        n_seg: N of Eq 1.
        choice: Which reference, for captions with several.
    """
    if record.task is Task.REFERRING:
        return with_seg_groups(_ANSWER_REFERRING.format(seg=SEG), n_seg)
    if record.task is Task.GCG:
        return with_seg_groups(record.text, n_seg)
    return record.answers[choice]
