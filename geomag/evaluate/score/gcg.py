"""Score grounded conversation generation (GeoPixelD): Table 2's columns, as GLaMM counts them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geomag.data.grounded import parse_grounding
from geomag.data.records import Record
from geomag.evaluate.score.context import Evaluation, ScoringContext, tidy
from geomag.evaluate.score.inputs import Joined, Prediction
from geomag.evaluate.score.vectors import TextVectors
from geomag.geometry import Rle, mask_area
from geomag.metrics.caption import caption_formulas, caption_tally
from geomag.metrics.grounding import (
    Detections,
    Ranking,
    average_precision,
    detect,
    greedy_mean_iou,
    recall_matches,
)
from geomag.metrics.masks import iou_matrix
from geomag.metrics.tally import Estimator, Floats, Tally, share


@dataclass(frozen=True, slots=True)
class Grounded:
    """One image's phrases and masks beside the truth's, compared."""

    iou: Floats
    """``[P, G]``; two empty masks give 0."""
    text: Floats
    """``[P, G]`` cosine of phrase and label; a mask without a phrase has 0 everywhere."""
    hollow: Floats
    """``[P, G]``: where both masks are empty, which GLaMM's arithmetic makes NaN."""
    short: bool
    """Fewer phrases than masks, or no prediction: GLaMM's loop fails on such an image."""


def clean_caption(text: str) -> str:
    """The words of a tagged description (protocols/gcg#text).

    >>> clean_caption('"<p> two ships </p> [SEG] near a pier."')
    'two ships near a pier.'
    """
    plain = re.sub(r"<.*?>", "", text.replace("[SEG]", ""), flags=re.DOTALL)
    return " ".join(plain.split()).strip(" \"'")


def phrases_of(prediction: Prediction) -> list[str]:
    """Phrases of an answer, one per mask: as given, else from its text."""
    given = prediction.phrases or parse_grounding(prediction.text).phrases
    return [" ".join(phrase.split()) for phrase in given]


def precompute(parts: Sequence[Joined], context: ScoringContext) -> None:
    """Run Java and the encoder once for all sets of predictions."""
    records = [record for part in parts for record in part.records]
    answers = [clean_caption(text) for part in parts for text in part.texts]
    context.meteor(context.captions(answers, [[clean_caption(r.text)] for r in records]))
    phrases = [
        x for part in parts for p in part.predictions if p is not None for x in phrases_of(p)
    ]
    labels = [label for record in records for label in record.phrases]
    context.vectors(sorted({*phrases, *labels}), context.gcg_encoder)


def evaluate(joined: Joined, context: ScoringContext, *, extras: bool = True) -> Evaluation:
    """METEOR, CIDEr, AP50, mean IoU and recall, one record per image."""
    order = np.argsort(np.array([record.id for record in joined.records], dtype=object))
    records = [joined.records[i] for i in order]  # AP ranks images by their names as text
    predictions = [joined.predictions[i] for i in order]
    names = [record.id for record in records]
    texts = [clean_caption(p.text) if p else "" for p in predictions]
    captions = context.captions(texts, [[clean_caption(r.text)] for r in records])
    meteor = context.meteor(captions)
    words = caption_tally(captions, names, meteor, cider_only=True)
    compared = _compare(records, predictions, context)
    tally = _region_tally(names, records, compared)
    table = caption_formulas(with_meteor=meteor is not None)
    detections = [detect(g.iou) for g in compared]
    estimators: dict[str, Estimator] = {
        "meteor": words.estimator(table["meteor"]) if meteor is not None else _unavailable,
        "cider": words.estimator(table["cider"]),
        "ap50": _ap_estimator(detections),
        "mean_iou": tally.estimator(share("greedy")),
        "recall": tally.estimator(share("recall", "labels")),
    }
    if not extras:
        return Evaluation(n_images=len(names), estimators=estimators)
    encoder = context.vectors([], context.gcg_encoder).encoder
    return Evaluation(
        n_images=len(names),
        estimators=estimators,
        variants={
            "glamm_as_written": {
                "mean_iou": tidy(tally.value(share("greedy_nan"))),
                "recall": tidy(tally.value(share("recall_nan", "labels"))),
            },
            "glamm_no_early_stop": {"recall": tidy(tally.value(share("recall_on", "labels")))},
            "iou_only": {"recall": tidy(tally.value(share("recall_iou", "labels")))},
            **_by_targets(records, detections, tally),
        },
        counts=_counts(joined, predictions),
        protocol={
            **context.caption_protocol(),
            "recall_encoder": encoder,
            "ap50": "all confidences 1, images ranked by name",
            "cider": "raw (papers print x 100; Table 2 prints x 1000)",
        },
        samples=(
            {"id": n, "mean_iou": float(tally.sums[i, 1]), "matches": int(tally.sums[i, 3])}
            for i, n in enumerate(tally.groups)
        ),
    )


def _unavailable(weights: Floats) -> Floats:
    return np.full(len(weights), np.nan)


def _ap_estimator(detections: Sequence[Detections]) -> Estimator:
    ranking = Ranking.of(detections)
    return lambda weights: np.array([ranking.average_precision(row) for row in weights])


def _compare(
    records: Sequence[Record], predictions: Sequence[Prediction | None], context: ScoringContext
) -> list[Grounded]:
    phrases = [phrases_of(p) if p else [] for p in predictions]
    labels = [[" ".join(label.split()) for label in r.phrases] for r in records]
    wanted = sorted({text for row in (*phrases, *labels) for text in row})
    vectors = context.vectors(wanted, context.gcg_encoder)
    return [
        _grounded(p.masks if p else (), phrases[i], r.masks, labels[i], vectors)
        for i, (r, p) in enumerate(zip(records, predictions, strict=True))
    ]


def _grounded(
    masks: Sequence[Rle],
    phrases: Sequence[str],
    truths: Sequence[Rle],
    labels: Sequence[str],
    vectors: TextVectors,
) -> Grounded:
    text = np.zeros((len(masks), len(truths)))
    used, known = phrases[: len(masks)], labels[: len(truths)]
    similar = vectors.similarity(used, known)
    if used and known:
        blank = np.array([not p for p in used])[:, None] | np.array([not k for k in known])
        text[: len(used), : len(known)] = np.where(blank, 0.0, similar)
    empty = [np.array([mask_area(m) == 0 for m in side], dtype=bool) for side in (masks, truths)]
    hollow = (empty[0][:, None] & empty[1]).astype(np.float64)
    short = len(phrases) < len(masks) or not masks
    return Grounded(iou_matrix(masks, truths), text, hollow, short)


def _region_tally(
    names: Sequence[str], records: Sequence[Record], compared: Sequence[Grounded]
) -> Tally:
    with_nan = [np.where(g.hollow > 0, np.nan, g.iou) for g in compared]
    columns: dict[str, list[float]] = {
        "n": [1.0] * len(names),
        "greedy": [greedy_mean_iou(g.iou) for g in compared],
        "labels": [float(len(r.masks)) for r in records],
        "recall": [recall_matches(g.iou.T, g.text.T) for g in compared],
        "recall_on": [recall_matches(g.iou.T, g.text.T, early_stop=False) for g in compared],
        "recall_iou": [recall_matches(g.iou.T) for g in compared],
        "greedy_nan": [greedy_mean_iou(iou) for iou in with_nan],
        "recall_nan": [
            0 if g.short else recall_matches(iou.T, g.text.T)
            for g, iou in zip(compared, with_nan, strict=True)
        ],
    }
    return Tally.of(names, columns)


def _by_targets(
    records: Sequence[Record], detections: Sequence[Detections], tally: Tally
) -> dict[str, dict[str, float | None]]:
    """Images with exactly one target, and the others: our reading of GeoPixel's split."""
    single = np.array([len(record.masks) == 1 for record in records])
    table: dict[str, dict[str, float | None]] = {}
    for name, chosen in (("uni_target", single), ("multi_target", ~single)):
        weights = chosen.astype(np.float64)
        totals = tally.totals(weights[None])
        table[name] = {
            "n": float(chosen.sum()),
            "ap50": tidy(average_precision(detections, weights)),
            "mean_iou": tidy(share("greedy")(totals)[0]),
            "recall": tidy(share("recall", "labels")(totals)[0]),
        }
    return table


def _counts(joined: Joined, predictions: Sequence[Prediction | None]) -> dict[str, int]:
    given = [(len(phrases_of(p)), len(p.masks)) for p in predictions if p is not None]
    return {
        "missing": joined.missing,
        "empty": sum(not text.strip() for text in joined.texts),
        "unparsed": sum(masks == 0 for _, masks in given),
        "phrase_without_mask": sum(max(0, phrases - masks) for phrases, masks in given),
        "mask_without_phrase": sum(max(0, masks - phrases) for phrases, masks in given),
        "over_100_masks": sum(masks > 100 for _, masks in given),
    }
