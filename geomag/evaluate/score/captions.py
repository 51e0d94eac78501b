"""Score captions (UCM, Sydney; Table 5): BLEU-1..4, METEOR, ROUGE_L and CIDEr, raw."""

from collections.abc import Sequence

import numpy as np

from geomag.evaluate.score.context import Evaluation, ScoringContext, tidy
from geomag.evaluate.score.inputs import Joined
from geomag.metrics.caption import Captions, caption_formulas, caption_tally, sanitise


def precompute(parts: Sequence[Joined], context: ScoringContext) -> None:
    """Run Java once for all sets of predictions."""
    texts = [text for part in parts for text in part.texts]
    references = [record.answers for part in parts for record in part.records]
    context.meteor(context.captions(texts, references))


def evaluate(joined: Joined, context: ScoringContext, *, extras: bool = True) -> Evaluation:
    """Corpus scores; a missing prediction is an empty sentence, never left out."""
    texts = joined.texts
    captions = context.captions(texts, [record.answers for record in joined.records])
    meteor = context.meteor(captions)
    names = [record.id for record in joined.records]
    tally = caption_tally(captions, names, meteor)
    table = caption_formulas(with_meteor=meteor is not None)
    estimators = {name: tally.estimator(formula) for name, formula in table.items()}
    if meteor is None:
        estimators["meteor"] = lambda weights: np.full(len(weights), np.nan)
    if not extras:
        return Evaluation(n_images=len(names), estimators=estimators)
    cider = dict(zip(tally.groups, tally.sums[:, tally.columns.index("cider")], strict=True))
    raw = [text for row in (joined.texts, *(r.answers for r in joined.records)) for text in row]
    return Evaluation(
        n_images=len(names),
        estimators=estimators,
        variants={
            "no_tokenizer": _values(
                [
                    Captions(_split(t), tuple(_split(a) for a in r.answers))
                    for t, r in zip(texts, joined.records, strict=True)
                ],
                names,
            ),
            "first_reference": _values(
                [Captions(c.hypothesis, c.references[:1]) for c in captions], names
            ),
        },
        counts={
            "missing": joined.missing,
            "empty": sum(not text.strip() for text in joined.texts),
            "unparsed": 0,
            "sanitised": sum(sanitise(text) != " ".join(text.split(" ")).strip() for text in raw),
            "references": sum(len(record.answers) for record in joined.records),
        },
        protocol={**context.caption_protocol(), "cider": "raw, document frequency of this split"},
        samples=(
            {"id": r.id, "text": t, "tokens": c.hypothesis, "cider": float(cider[r.id])}
            for r, t, c in zip(joined.records, joined.texts, captions, strict=True)
        ),
    )


def _split(text: str) -> str:
    """Text as scorers without the PTB tokeniser take it: lower case, split at blanks."""
    return " ".join(text.lower().split())


def _values(captions: Sequence[Captions], names: Sequence[str]) -> dict[str, float | None]:
    tally = caption_tally(captions, names)
    return {
        name: tidy(tally.value(formula))
        for name, formula in caption_formulas(with_meteor=False).items()
    }
