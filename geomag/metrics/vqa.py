"""RSVQA verdicts and averages: strict (headline), lenient, and the four averages of the field.

protocols/rsvqa. An answer is never looked for inside the prediction as a substring:
under that rule the empty string is right.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from geomag.metrics.tally import Floats, Formula, Tally, Totals, divide, mean_of, share

TYPES = ("presence", "comp", "rural_urban", "count", "area")
HEADLINE_TYPES = ("presence", "comp")
_CLOSED = {
    "presence": frozenset({"yes", "no"}),
    "comp": frozenset({"yes", "no"}),
    "rural_urban": frozenset({"rural", "urban"}),
}
_OPEN = {"count": re.compile(r"\d+"), "area": re.compile(r"\d+m2")}
_EDGES = " \t\"'`‘’“”.,;:!"


def first_line(text: str) -> str:
    """The text to its first line break, after trimming."""
    lines = text.strip().splitlines()
    return lines[0] if lines else ""


@lru_cache(maxsize=1 << 16)
def normalise(text: str) -> str:
    r"""NFKC, first line, lower case, edges trimmed of quotes and ``. , ; : !``, blanks collapsed.

    >>> normalise(" Yes. "), normalise("yes\nThe image shows"), normalise("Yes, there is one.")
    ('yes', 'yes', 'yes, there is one')
    """
    line = first_line(unicodedata.normalize("NFKC", text)).lower()
    return " ".join(line.strip(_EDGES).split())


def is_parsed(prediction: str, kind: str) -> bool:
    """Whether the answer is one the question type can have, right or wrong."""
    answer = normalise(prediction)
    if kind in _CLOSED:
        return answer in _CLOSED[kind]
    return bool(_OPEN[kind].fullmatch(answer)) if kind in _OPEN else bool(answer)


def is_right(prediction: str, answer: str) -> bool:
    """Strict verdict: equal after `normalise`; the empty answer is wrong."""
    given = normalise(prediction)
    return bool(given) and given == normalise(answer)


def is_right_leniently(prediction: str, answer: str, kind: str) -> bool:
    """Lenient verdict: exactly one of the type's words occurs in the whole answer.

    >>> is_right_leniently("Yes, there is one.", "yes", "presence")
    True
    >>> is_right_leniently("yes and no", "yes", "presence")
    False
    """
    if kind not in _CLOSED:
        return is_right(prediction, answer)
    words = re.findall(r"[^\W\d_]+", unicodedata.normalize("NFKC", prediction).lower())
    return _CLOSED[kind].intersection(words) == {normalise(answer)}


def vqa_tally(kinds: Sequence[str], images: Sequence[str], right: ArrayLike) -> Tally:
    """Questions and right answers per type, summed per image.

    Args:
        kinds: Type of each question.
        images: Image of each question.
        right: ``[N]``, whether each answer is right.
    """
    of_question = np.array(kinds, dtype=object)
    points = np.asarray(right, dtype=np.float64)
    columns = {}
    for kind in TYPES:
        of_kind = (of_question == kind).astype(np.float64)
        columns[f"n_{kind}"], columns[f"right_{kind}"] = of_kind, of_kind * points
    return Tally.of(images, columns)


def _pooled(kinds: Sequence[str]) -> Formula:
    """Right over all questions of some types; NaN when one of them has no question."""

    def formula(sums: Totals) -> Floats:
        n = np.stack([sums[f"n_{kind}"] for kind in kinds])
        right = np.stack([sums[f"right_{kind}"] for kind in kinds])
        return np.where((n == 0).any(axis=0), np.nan, divide(right.sum(axis=0), n.sum(axis=0)))

    return formula


_OF_TYPE: dict[str, Formula] = {kind: share(f"right_{kind}", f"n_{kind}") for kind in TYPES}

FORMULAS: dict[str, Formula] = {
    "presence": _OF_TYPE["presence"],
    "comparison": _OF_TYPE["comp"],
    "rural_urban": _OF_TYPE["rural_urban"],
    "count": _OF_TYPE["count"],
    "area": _OF_TYPE["area"],
    "macro2": mean_of(_OF_TYPE["presence"], _OF_TYPE["comp"]),
    "micro2": _pooled(("presence", "comp")),
    "macro3": mean_of(_OF_TYPE["presence"], _OF_TYPE["comp"], _OF_TYPE["rural_urban"]),
    "micro3": _pooled(("presence", "comp", "rural_urban")),
}
"""Accuracies in [0, 1] by name; a type without questions makes a metric NaN (not available)."""
