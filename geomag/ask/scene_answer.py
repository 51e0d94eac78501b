"""The one answer of a scene that was asked window by window, by the kind of question.

A window knows its own part only. Whether something is there is "yes" if one window says so; how
many there are is the sum over windows; masks are joined. A comparison, a caption or the class of a
scene is no sum of parts: such a question is asked once about the whole.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from geomag.ask.options import AskOptions
from geomag.data.benchmarks import Task
from geomag.inference.prompt import Prompt

_COMPARED = re.compile(
    r"\b(more|less|fewer|than|equal|same|larger|smaller|largest|smallest|most|least|compared)\b"
)
_COUNTED = re.compile(r"^(how many\b|what is the (number|amount|count) of\b|count\b)")
_PRESENT = re.compile(
    r"^(is|are|does|do|can|could)\b.*\b(there|present|see|seen|contain|visible)\b"
)
_YES_NO = frozenset({"yes", "no"})


class SceneRule(StrEnum):
    """Rule by which the answers of windows make the answer of their scene."""

    MASKS = "masks"
    """Masks are joined; the text is the windows' most frequent one."""
    ANY = "any"
    """The scene's answer is "yes" if one window says so."""
    SUM = "sum"
    """The windows' numbers are added."""
    WHOLE = "whole"
    """The question is asked once about the whole."""


def scene_rule(prompt: Prompt) -> SceneRule:
    """The rule of a prompt, from its task and, for questions, its words.

    Args:
        prompt: As the model is asked; a prompt without a task counts as one for masks.

    >>> scene_rule(Prompt("", "", given="Is there a ship?", task=Task.VQA)).value
    'any'
    >>> scene_rule(Prompt("", "", given="Are there more ships than cars?", task=Task.VQA)).value
    'whole'
    """
    if prompt.task in (None, Task.REFERRING, Task.GCG):
        return SceneRule.MASKS
    if prompt.task is not Task.VQA:
        return SceneRule.WHOLE
    words = (prompt.given or prompt.text).lower().strip()
    if _COMPARED.search(words):
        return SceneRule.WHOLE
    if _COUNTED.match(words):
        return SceneRule.SUM
    return SceneRule.ANY if _PRESENT.match(words) else SceneRule.WHOLE


def options_for(rule: SceneRule, options: AskOptions) -> AskOptions:
    """The options under which a rule's windows can be combined.

    A question about the whole is asked once; windows whose numbers are added do not overlap, or
    what lies in an overlap would be counted in each.
    """
    if rule is SceneRule.WHOLE:
        return replace(options, whole=True)
    return replace(options, overlap_px=0) if rule is SceneRule.SUM else options


def scene_text(rule: SceneRule, texts: Mapping[str, int]) -> tuple[str, str]:
    """The scene's text and a note on how it was made.

    Args:
        rule: Of the prompt.
        texts: What windows said, with how many said so, most frequent first.

    Returns:
        Text and note; the note is empty where all windows say the same and nothing was added.

    >>> scene_text(SceneRule.ANY, {"no": 75, "yes": 24})
    ('yes', '24 of 99 windows say yes.')
    >>> scene_text(SceneRule.SUM, {"0": 3, "2": 2})[0]
    '4'
    """
    said = [text.lower().strip(" .") for text in texts]
    if rule is SceneRule.ANY and _YES_NO.issuperset(said):
        n_yes = sum(n for word, n in zip(said, texts.values(), strict=True) if word == "yes")
        note = f"{n_yes} of {sum(texts.values())} windows say yes." if len(texts) > 1 else ""
        return ("yes" if n_yes else "no"), note
    if rule is SceneRule.SUM and all(word.isdecimal() for word in said):
        numbers = zip(map(int, said), texts.values(), strict=True)
        total = sum(number * n for number, n in numbers)
        is_one = sum(texts.values()) == 1
        note = "" if is_one else "The windows' numbers were added: what a seam cuts counts twice."
        return str(total), note
    return _most_frequent(list(texts))


def _most_frequent(texts: Sequence[str]) -> tuple[str, str]:
    many = "Windows were answered differently; the text is the most frequent one."
    return (texts[0] if texts else ""), (many if len(texts) > 1 else "")
