"""GCG text with inline grounding: ``<p> phrase </p> [SEG]`` (protocols/gcg#text)."""

import re
from dataclasses import dataclass

_SEG = re.compile(r"<p>((?:(?!</?p>).)*)</p>\s*\[SEG\]|\[SEG\]", re.DOTALL)
_PHRASE = re.compile(r"<p>(?:(?!</?p>).)*</p>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Grounding:
    """Phrases of a text, one per [SEG] in order."""

    phrases: tuple[str, ...]
    """Phrases without blanks around them; empty where a [SEG] has no phrase of its own."""
    n_without_phrase: int
    """[SEG] that follow no phrase."""
    n_without_mask: int
    """Phrases that no [SEG] follows."""


def parse_grounding(text: str) -> Grounding:
    """Pair each [SEG] with the phrase right before it.

    >>> parse_grounding("<p> two ships </p> [SEG] near <p> a pier </p> and [SEG].")
    Grounding(phrases=('two ships', ''), n_without_phrase=1, n_without_mask=1)
    """
    matches = list(_SEG.finditer(text))
    phrases = tuple((match.group(1) or "").strip() for match in matches)
    n_paired = sum(match.group(1) is not None for match in matches)
    return Grounding(phrases, len(matches) - n_paired, len(_PHRASE.findall(text)) - n_paired)
