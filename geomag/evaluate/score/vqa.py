"""Score RSVQA (Table 3): strict accuracy per type, macro2 as average, the rest as variants."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geomag.evaluate.score.context import Evaluation, ScoringContext, tidy
from geomag.evaluate.score.inputs import Joined
from geomag.metrics.peers import RULES
from geomag.metrics.tally import Tally
from geomag.metrics.vqa import (
    FORMULAS,
    TYPES,
    is_parsed,
    is_right,
    is_right_leniently,
    vqa_tally,
)

HEADLINE = {"presence": "presence", "comparison": "comparison", "average": "macro2"}


def evaluate(joined: Joined, context: ScoringContext, *, extras: bool = True) -> Evaluation:
    """Evaluate answers; every question of the split is in the denominator, answered or not."""
    said = Said.of(joined)
    kinds = [record.kind for record in joined.records]
    strict = vqa_tally(kinds, joined.images, said.judged(lambda _, t, a: is_right(t, a)))
    estimators = {name: strict.estimator(FORMULAS[key]) for name, key in HEADLINE.items()}
    if not extras:
        return Evaluation(n_images=len(strict.groups), estimators=estimators)
    loosely = said.judged(lambda kind, text, answer: is_right_leniently(text, answer, kind))
    lenient = vqa_tally(kinds, joined.images, loosely)
    averages = {name: tidy(strict.value(FORMULAS[name])) for name in FORMULAS}
    return Evaluation(
        n_images=len(strict.groups),
        estimators=estimators,
        variants={
            "strict": _all(strict),
            "lenient": _all(lenient),
            **_peers(said),
            **{
                name: {"average": averages[name]}
                for name in ("macro2", "micro2", "macro3", "micro3")
            },
        },
        counts={
            "missing": joined.missing,
            "empty": sum(not text.strip() for text in joined.texts),
            "unparsed": int((~said.judged(lambda kind, text, _: is_parsed(text, kind))).sum()),
            "n": dict(sorted(Counter(kinds).items())),
            "right": _right(strict),
            "right_lenient": _right(lenient),
        },
        protocol={
            "average": "macro2: mean of presence and comparison",
            "matching": "NFKC, first line, lower case, trimmed; equal",
            "left_out": "count and area, as in all remote-sensing VLM tables",
        },
        samples=(
            {"id": r.id, "image": r.image, "kind": r.kind, "text": t, "answer": r.answers[0]}
            for r, t in zip(joined.records, joined.texts, strict=True)
        ),
    )


@dataclass(frozen=True, slots=True)
class Said:
    """Each question's type, answer given and right answer; RSVQA-HR repeats a few of them."""

    distinct: tuple[tuple[str, str, str], ...]
    """``(type, given, right)``."""
    index: NDArray[np.intp]
    """Position of each question in ``distinct``."""

    @classmethod
    def of(cls, joined: Joined) -> "Said":
        """What was said, in the order of the records."""
        rows = zip(joined.records, joined.texts, strict=True)
        number: dict[tuple[str, str, str], int] = {}
        index = [number.setdefault((r.kind, t, r.answers[0]), len(number)) for r, t in rows]
        return cls(tuple(number), np.array(index, dtype=np.intp))

    def judged(self, rule: Callable[[str, str, str], bool]) -> NDArray[np.bool_]:
        """A rule's verdict on each question, asked once for equal ones."""
        return np.array([rule(*one) for one in self.distinct], dtype=bool)[self.index]


def _peers(said: Said) -> dict[str, dict[str, float | None]]:
    """The same answers under each published scorer's rule, macro2."""
    seen = dict(zip(said.distinct, np.bincount(said.index).tolist(), strict=True))
    table = {}
    for name, rule in RULES.items():
        sums = {f"{column}_{kind}": np.zeros(()) for kind in TYPES for column in ("n", "right")}
        for (kind, text, answer), times in seen.items():
            if kind in TYPES:
                sums[f"n_{kind}"] = sums[f"n_{kind}"] + times
                sums[f"right_{kind}"] = sums[f"right_{kind}"] + times * rule(text, answer)
        table[f"rule: {name}"] = {"average": tidy(FORMULAS["macro2"](sums))}
    return table


def _all(tally: Tally) -> dict[str, float | None]:
    table = {name: tidy(tally.value(formula)) for name, formula in FORMULAS.items()}
    return {"average": table["macro2"], **table}


def _right(tally: Tally) -> dict[str, int]:
    kinds = [c.removeprefix("n_") for c in tally.columns if c.startswith("n_")]
    return {kind: int(tally.total(f"right_{kind}")) for kind in kinds if tally.total(f"n_{kind}")}
