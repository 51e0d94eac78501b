"""Score referring object classification (DIOR-RSVG, Table 4): SS, SIoU and exact accuracy."""

from collections.abc import Sequence

import numpy as np

from geomag.evaluate.score.context import Evaluation, ScoringContext, tidy
from geomag.evaluate.score.inputs import Joined
from geomag.evaluate.score.vectors import SS_ENCODER
from geomag.metrics.labels import clean_label, clean_truth, semantic_iou
from geomag.metrics.tally import Floats, Formula, Tally, share

FORMULAS: dict[str, Formula] = {
    "semantic_similarity": share("ss"),
    "semantic_iou": share("siou"),
    "accuracy": share("right"),
}


def precompute(parts: Sequence[Joined], context: ScoringContext) -> None:
    """Encode all answers and labels of a run at once."""
    texts = {clean_label(text) for part in parts for text in part.texts}
    labels = {clean_truth(r.answers[0]) for part in parts for r in part.records}
    context.vectors(sorted(texts | labels), SS_ENCODER)


def evaluate(joined: Joined, context: ScoringContext, *, extras: bool = True) -> Evaluation:
    """Evaluate class names by SS, SIoU and equality; an empty one is 0, whatever its vector."""
    given = [clean_label(text) for text in joined.texts]
    labels = [clean_truth(record.answers[0]) for record in joined.records]
    vectors = context.vectors(sorted({*given, *labels}), SS_ENCODER)
    columns = {
        "n": np.ones(len(given)),
        "ss": np.where([bool(g) for g in given], vectors.paired(given, labels), 0.0),
        "siou": np.array([semantic_iou(g, t) for g, t in zip(given, labels, strict=True)]),
        "right": np.array(
            [float(g.lower() == t.lower()) for g, t in zip(given, labels, strict=True)]
        ),
    }
    tally = Tally.of(joined.images, columns)
    estimators = {name: tally.estimator(formula) for name, formula in FORMULAS.items()}
    if not extras:
        return Evaluation(n_images=len(tally.groups), estimators=estimators)
    classes = np.array(labels, dtype=object)
    names = {label.lower() for label in labels}
    per_class = {name: _subset(columns, classes == name) for name in sorted(set(labels))}
    recalls = [row["accuracy"] for row in per_class.values() if row["accuracy"] is not None]
    return Evaluation(
        n_images=len(tally.groups),
        estimators=estimators,
        variants={
            "unique_boxes": _subset(columns, _first_of_each_box(joined)),
            "unseen_images": _subset(
                columns,
                np.array([i not in context.facts.images for i in joined.images], dtype=bool),
            ),
            "per_class": per_class,
            "class_mean": {"accuracy": tidy(sum(recalls) / len(recalls)) if recalls else None},
        },
        counts={
            "missing": joined.missing,
            "empty": sum(not g for g in given),
            "unparsed": sum(g.lower() not in names for g in given),
        },
        protocol={
            "encoder": vectors.encoder,
            "cleaning": "first line, between colons, quotes and . : , dropped",
            "empty_answer": "SS 0, SIoU 0",
            "display_names": sorted(set(labels)),
        },
        samples=(
            {"id": r.id, "image": r.image, "text": t, "cleaned": given[i], "label": labels[i]}
            | {"ss": float(columns["ss"][i]), "siou": float(columns["siou"][i])}
            for i, (r, t) in enumerate(zip(joined.records, joined.texts, strict=True))
        ),
    )


def _subset(columns: dict[str, Floats], chosen: np.ndarray) -> dict[str, float | None]:  # type: ignore[type-arg]
    sums = {name: np.asarray(values[chosen].sum()) for name, values in columns.items()}
    return {"n": float(sums["n"])} | {name: tidy(f(sums)) for name, f in FORMULAS.items()}


def _first_of_each_box(joined: Joined) -> np.ndarray:  # type: ignore[type-arg]
    """Which records show a box that no earlier record shows: ROC does not see the expression."""
    seen: set[tuple[object, ...]] = set()
    first = []
    for record in joined.records:
        key = (record.image, record.boxes)
        first.append(key not in seen)
        seen.add(key)
    return np.array(first, dtype=bool)
