"""The wording that training used, added to what a person typed.

A model answers in the form that the wording of its training asks for: "Is a ship present?" alone
may get a mask, and the same question with "Answer with a single word or short phrase." gets "yes".
So a prompt is brought into a wording of its task (`geomag.data.prompts`) before it is asked, the
same one that evaluation asks a benchmark's records in.

The task is known where the prompt has a wording of training already, in full; such a prompt is left
alone. Elsewhere the task head of the Task Granularity Classifier names it. Where that head is not
sure (`TASK_CONFIDENCE`), or the words lack what the wording needs (a box, a phrase, classes), the
prompt stays as it is and a note says so.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from geomag.config.schema import PromptConfig
from geomag.data.benchmarks import BENCHMARKS, Task
from geomag.data.prompts import EVALUATION, SHORT_SCENE, TRAINING
from geomag.inference.phrases import box_in, classes_in, phrase_of
from geomag.inference.prompt import Prompt
from geomag.magcrop.granularity import TASK_CONFIDENCE, TaskGuess

_NEEDS = {
    Task.ROC: "no box as [x1, y1, x2, y2] in shares of the image's sides",
    Task.REFERRING: "no phrase that a mask could be drawn of",
    Task.SCENE: "neither a scene set nor class names",
}
_LAST = (Task.VQA,)
"""Tasks whose wordings stand around anything, so that the others are tried before."""


def _pattern(wording: str) -> re.Pattern[str]:
    parts = (r"\s+".join(map(re.escape, part.split(" "))) for part in wording.split("{x}"))
    loose = "(?P<x>.+)".join(part.replace(re.escape("\n"), r"\s+") for part in parts)
    return re.compile(loose, re.IGNORECASE | re.DOTALL)


_WORDINGS = tuple(
    (task, _pattern(wording))
    for task in (*(t for t in Task if t not in _LAST), *_LAST)
    for wording in (*TRAINING[task], *((SHORT_SCENE,) if task is Task.SCENE else ()))
)


def wording_in(text: str) -> tuple[Task, str] | None:
    r"""Task and ``{x}`` of a prompt that has one of training's wordings; None where it has none.

    >>> wording_in("Segment the red ship in this image.")
    (<Task.REFERRING: 'referring'>, 'the red ship')
    >>> wording_in("Is a dam present?\nAnswer with a single word or short phrase.")
    (<Task.VQA: 'vqa'>, 'Is a dam present?')
    >>> wording_in("Is a dam present?")
    """
    for task, pattern in _WORDINGS:
        if match := pattern.fullmatch(text):
            return task, match.groupdict().get("x") or ""
    return None


def frame_prompt(
    prompt: Prompt, classify: Callable[[str], TaskGuess], config: PromptConfig
) -> Prompt:
    """Bring a prompt into the wording that training used for its task.

    Args:
        prompt: A person's words (`geomag.inference.prompt.read_prompt`).
        classify: Names the task of words without a wording.
        config: ``wordings`` says which wordings training used, ``scene`` those of scenes.

    Returns:
        The prompt with its task and the framed text, or as it was with a note why.
    """
    if known := wording_in(prompt.text):
        guess, x = TaskGuess(known[0], 1.0), known[1]
    else:
        guess, x = classify(prompt.text), None
    if guess.confidence < TASK_CONFIDENCE:
        named = replace(prompt, task_confidence=guess.confidence)
        return named.noted(
            f"The task of the prompt is not clear (perhaps {guess.task.value}, "
            f"{guess.confidence:.2f}): it was asked as it is."
        )
    named = replace(prompt, task=guess.task, task_confidence=guess.confidence)
    if x is None:
        x = _subject(prompt.text, guess.task, config)
    if x is None:
        return replace(named, task=None).noted(
            f"The prompt reads like {guess.task.value} and holds {_NEEDS[guess.task]}: "
            "it was asked as it is."
        )
    subject = x.strip().removesuffix(".").rstrip() if guess.task is Task.REFERRING else ""
    trained = _trained(guess.task, config)
    texts = [wording.format(x=subject or x) for wording in trained]
    text = prompt.text if prompt.text in texts else texts[0]
    if text != prompt.text and "{x}" not in trained[0]:
        named = named.noted(f"The model was asked in the words it was trained with: {text}")
    return replace(named, text=text, subject=subject or text, given=prompt.text)


def _trained(task: Task, config: PromptConfig) -> tuple[str, ...]:
    """Wordings that training drew from under these settings, evaluation's first."""
    if task is Task.SCENE and config.scene == "short":
        return (SHORT_SCENE,)
    return TRAINING[task] if config.wordings == "all" else (EVALUATION[task],)


def _subject(text: str, task: Task, config: PromptConfig) -> str | None:
    """What fills ``{x}`` of the task's wording; None where the words do not hold it."""
    if task is Task.VQA:
        return text
    if task is Task.REFERRING:
        return phrase_of(text)
    if task is Task.ROC:
        return box_in(text, decimals=config.box_decimals)
    if task is Task.SCENE:
        return _scene_subject(text, config)
    return ""


def _scene_subject(text: str, config: PromptConfig) -> str | None:
    """Title of the scene set that the words name, or its classes, or the classes they list."""
    for benchmark in BENCHMARKS.values():
        if benchmark.task is Task.SCENE and re.search(rf"\b{benchmark.title}\b", text, re.I):
            is_short = config.scene == "short"
            return benchmark.title if is_short else ", ".join(benchmark.classes)
    return None if config.scene == "short" else classes_in(text)
