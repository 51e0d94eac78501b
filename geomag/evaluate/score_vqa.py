"""Score RSVQA (Table 3): strict accuracy per type, macro2 as average, the rest as variants."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from geomag.data.records import Record
from geomag.evaluate.score_inputs import Joined
from geomag.evaluate.score_tools import Evaluation, Tools, tidy
from geomag.metrics.peers import RULES
from geomag.metrics.tally import Tally
from geomag.metrics.vqa import (
    FORMULAS,
    TYPES,
    Verdict,
    is_parsed,
    is_right,
    is_right_leniently,
    vqa_tally,
)

HEADLINE = {"presence": "presence", "comparison": "comparison", "average": "macro2"}


def evaluate(joined: Joined, tools: Tools, *, extras: bool = True) -> Evaluation:
    """All questions of the split are the denominator, answered or not."""
    rows = list(zip(joined.records, joined.texts, strict=True))
    strict = vqa_tally([Verdict(r.kind, r.image, is_right(t, r.answers[0])) for r, t in rows])
    estimators = {name: strict.estimator(FORMULAS[key]) for name, key in HEADLINE.items()}
    if not extras:
        return Evaluation(n_images=len(strict.groups), estimators=estimators)
    lenient = vqa_tally(
        [Verdict(r.kind, r.image, is_right_leniently(t, r.answers[0], r.kind)) for r, t in rows]
    )
    averages = {name: tidy(strict.value(FORMULAS[name])) for name in FORMULAS}
    return Evaluation(
        n_images=len(strict.groups),
        estimators=estimators,
        variants={
            "strict": _all(strict),
            "lenient": _all(lenient),
            **_peers(rows),
            **{
                name: {"average": averages[name]}
                for name in ("macro2", "micro2", "macro3", "micro3")
            },
        },
        counts={
            "missing": joined.missing,
            "empty": sum(not text.strip() for text in joined.texts),
            "unparsed": sum(not is_parsed(text, r.kind) for r, text in rows),
            "n": dict(sorted(Counter(r.kind for r in joined.records).items())),
            "right": _right(strict),
            "right_lenient": _right(lenient),
        },
        protocol={
            "average": "macro2: mean of presence and comparison",
            "matching": "NFKC, first line, lower case, trimmed; equal",
            "left_out": "count and area, as in all remote-sensing VLM tables",
        },
        samples=[
            {"id": r.id, "image": r.image, "kind": r.kind, "text": t, "answer": r.answers[0]}
            for r, t in rows
        ],
    )


def _peers(rows: Sequence[tuple[Record, str]]) -> dict[str, dict[str, float | None]]:
    """The same answers under each published scorer's rule, macro2."""
    seen = Counter((r.kind, text, r.answers[0]) for r, text in rows)
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
