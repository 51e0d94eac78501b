"""Score zero-shot scene classification (AID, RESISC45; Table 6)."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from geomag.data.records import Record
from geomag.evaluate.score.context import Evaluation, ScoringContext, tidy
from geomag.evaluate.score.inputs import Joined
from geomag.metrics.labels import class_keys, lenient_class, strict_class
from geomag.metrics.tally import Floats, Formula, Tally, Totals, divide, share
from geomag.seeds import generator


def evaluate(joined: Joined, context: ScoringContext, *, extras: bool = True) -> Evaluation:
    """The answer must equal a class name (strict) or hold exactly one (lenient, beside)."""
    truths = [record.answers[0] for record in joined.records]
    keys = class_keys(sorted(context.facts.classes | set(truths)))
    given = [strict_class(text, keys) for text in joined.texts]
    right = np.array([g == t for g, t in zip(given, truths, strict=True)], dtype=np.float64)
    tally = _tally(joined.images, truths, right)
    estimators = {name: tally.estimator(f) for name, f in formulas(truths).items()}
    if not extras:
        return Evaluation(n_images=len(tally.groups), estimators=estimators)
    loose = [lenient_class(text, keys) for text in joined.texts]
    loosely = np.array([g == t for g, t in zip(loose, truths, strict=True)], dtype=np.float64)
    return Evaluation(
        n_images=len(tally.groups),
        estimators=estimators,
        variants={
            "strict": _summary(_tally(joined.images, truths, right), truths),
            "lenient": _summary(_tally(joined.images, truths, loosely), truths),
            "recall": _recalls(truths, right),
            **_subsets(joined.records, right),
        },
        counts={
            "missing": joined.missing,
            "empty": sum(not text.strip() for text in joined.texts),
            "unparsed": sum(g is None for g in given),
            "confusion": _confusion(truths, given),
        },
        protocol={
            "matching": "NFKC, lower case, first line, no blanks, hyphens, underscores; equal",
            "classes": sorted(keys.values()),
        },
        samples=(
            {"id": r.id, "text": t, "parsed": g, "truth": r.answers[0]}
            for r, t, g in zip(joined.records, joined.texts, given, strict=True)
        ),
    )


def formulas(truths: Sequence[str]) -> dict[str, Formula]:
    """Overall accuracy, and the mean recall of the classes that occur."""
    classes = sorted(set(truths))

    def balanced(sums: Totals) -> Floats:
        if not classes:
            return np.full_like(sums["n"], np.nan)
        recalls = [divide(sums[f"right {c}"], sums[f"n {c}"]) for c in classes]
        return np.asarray(np.nanmean(recalls, axis=0), dtype=np.float64)

    return {"accuracy": share("right"), "balanced_accuracy": balanced}


def _tally(images: Sequence[str], truths: Sequence[str], right: Floats) -> Tally:
    labels = np.array(truths, dtype=object)
    columns: dict[str, Floats] = {"n": np.ones(len(truths)), "right": right}
    for name in sorted(set(truths)):
        of_class = (labels == name).astype(np.float64)
        columns[f"n {name}"], columns[f"right {name}"] = of_class, of_class * right
    return Tally.of(images, columns)


def _summary(tally: Tally, truths: Sequence[str]) -> dict[str, float | None]:
    return {name: tidy(tally.value(formula)) for name, formula in formulas(truths).items()}


def _recalls(truths: Sequence[str], right: Floats) -> dict[str, float]:
    labels = np.array(truths, dtype=object)
    return {name: round(float(right[labels == name].mean()), 12) for name in sorted(set(truths))}


def _confusion(truths: Sequence[str], given: Sequence[str | None]) -> dict[str, dict[str, int]]:
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for truth, answer in zip(truths, given, strict=True):
        table[truth][answer or "unparsed"] += 1
    return {truth: dict(sorted(row.items())) for truth, row in sorted(table.items())}


def last_fifth(ids: Sequence[str]) -> set[str]:
    """RemoteCLIP's test rule: of each class, the last 20 % in string order.

    >>> sorted(last_fifth([f"a/airport_{i}.jpg" for i in range(1, 11)]))
    ['a/airport_8.jpg', 'a/airport_9.jpg']
    """
    return {name for ids_of in _by_class(ids).values() for name in ids_of[len(ids_of) * 4 // 5 :]}


def seeded_share(ids: Sequence[str], percent: int = 30, seed: int = 0) -> set[str]:
    """A seeded share of each class, as large as GeoChat-Bench's AID list when 30 %."""
    chosen: set[str] = set()
    for name, members in _by_class(ids).items():
        order = generator("scene subset", seed, name).permutation(len(members))
        chosen.update(members[i] for i in order[: len(members) * percent // 100])
    return chosen


def _by_class(ids: Sequence[str]) -> dict[str, list[str]]:
    table: dict[str, list[str]] = defaultdict(list)
    for name in sorted(ids):
        table[name.rsplit("/", 1)[0]].append(name)
    return table


def _subsets(records: Sequence[Record], right: Floats) -> dict[str, Mapping[str, float | None]]:
    """The lists peers test on, scored from the same predictions."""
    ids = [record.id for record in records]
    table: dict[str, Mapping[str, float | None]] = {}
    for name, chosen in (("last_20", last_fifth(ids)), ("seeded_30", seeded_share(ids))):
        hits = right[np.array([i in chosen for i in ids], dtype=bool)]
        table[name] = {"n": float(hits.size), "accuracy": tidy(hits.mean()) if hits.size else None}
    return table
