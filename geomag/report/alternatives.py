"""The same predictions under each published rule: what a scorer's quirks are worth.

A room for the rules we do not use. Every value here comes from a score file's variants; none
enters Tables 1 to 7.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from geomag.data.benchmarks import BENCHMARKS, Task
from geomag.report.grid import Grid
from geomag.report.ours import Scores, half_up
from geomag.report.tables import signed


@dataclass(frozen=True, slots=True)
class ProtocolVariant:
    """A variant, the headline metric it alters, and whose rule it is."""

    variant: str
    metric: str
    rule: str


EXHIBITS: dict[Task, tuple[ProtocolVariant, ...]] = {
    Task.REFERRING: (
        ProtocolVariant("480", "mean_iou", "LAVT, RMSIN, FIANet: both masks shrunk to 480 x 480"),
        ProtocolVariant(
            "480", "precision_at_0.5", "LAVT, RMSIN, FIANet: both masks shrunk to 480 x 480"
        ),
        ProtocolVariant(
            "lisa", "mean_iou", "LISA, GLaMM: 1e-5 on each union, two empty masks are 1"
        ),
        ProtocolVariant("strict", "precision_at_0.5", "SegEarth-R1, RSRefSeg2: IoU > 0.5, not >="),
        ProtocolVariant("both_empty_one", "mean_iou", "Two empty masks count as found"),
    ),
    Task.GCG: (
        ProtocolVariant(
            "glamm_as_written", "recall", "GLaMM to the letter: an image that fails is lost"
        ),
        ProtocolVariant(
            "glamm_as_written", "mean_iou", "GLaMM to the letter: two empty masks are NaN"
        ),
        ProtocolVariant("glamm_no_early_stop", "recall", "One wrong phrase does not end the image"),
        ProtocolVariant("iou_only", "recall", "Masks alone, whatever the words"),
    ),
    Task.VQA: (
        ProtocolVariant("lenient", "average", "One of the two words anywhere in the answer"),
        ProtocolVariant("micro2", "average", "Question-weighted average (GeoChat, EarthGPT)"),
        ProtocolVariant("macro3", "average", "Mean of three types (RSGPT, LHRS-Bot)"),
        ProtocolVariant("micro3", "average", "Question-weighted over three types (EarthDial)"),
    ),
    Task.ROC: (
        ProtocolVariant(
            "unique_boxes", "semantic_iou", "Each box once: ROC does not see the expression"
        ),
        ProtocolVariant(
            "unseen_images", "semantic_iou", "Images that no train or val record shows"
        ),
        ProtocolVariant("class_mean", "accuracy", "Mean over classes"),
    ),
    Task.CAPTION: (
        ProtocolVariant("no_tokenizer", "bleu_4", "Text split at blanks, punctuation kept"),
        ProtocolVariant("no_tokenizer", "cider", "Text split at blanks, punctuation kept"),
        ProtocolVariant("first_reference", "bleu_4", "Against the first of the references only"),
        ProtocolVariant("first_reference", "cider", "Against the first of the references only"),
    ),
    Task.SCENE: (
        ProtocolVariant("lenient", "accuracy", "Exactly one class name anywhere in the answer"),
        ProtocolVariant("last_20", "accuracy", "RemoteCLIP: the last fifth of each class"),
        ProtocolVariant("seeded_30", "accuracy", "GeoChat-Bench's size: 30 % of each class"),
    ),
}


def alternative_protocols(scores: Scores) -> Grid:
    """One row per rule and benchmark: its value, and how far it is from the headline."""
    rows = tuple(row for name, tree in scores.trees.items() for row in _rows(name, tree))
    head = ("Data set", "Metric", "Rule", "Value", "Against ours")
    return Grid("The same predictions under other rules (percent)", head, rows)


def _rows(name: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    benchmark = BENCHMARKS[name]
    variants = [*EXHIBITS[benchmark.task]]
    variants += [
        ProtocolVariant(
            variant, "average", f"Answers matched as {variant.removeprefix('rule: ')} does"
        )
        for variant in tree["variants"]
        if variant.startswith("rule: ")
    ]
    for exhibit in variants:
        value = tree["variants"].get(exhibit.variant, {}).get(exhibit.metric)
        ours = tree["metrics"].get(exhibit.metric)
        if value is not None and ours is not None:
            gap = signed(100 * (value - ours))
            yield (benchmark.title, exhibit.metric, exhibit.rule, half_up(100 * value), gap)


def weak_spots(scores: Scores) -> list[Grid]:
    """Scores by size, class and question type, the worst first, a grid per benchmark."""
    grids = []
    for name, tree in scores.trees.items():
        rows = sorted(_slices(tree), key=lambda row: (row[0], row[3]))
        if rows:
            text = tuple((kind, part, n, half_up(100 * value)) for kind, part, n, value in rows)
            head = ("By", "Which", "n", "percent")
            grids.append(Grid(f"{BENCHMARKS[name].title}: where it is weak", head, text))
    return grids


def _slices(tree: Mapping[str, Any]) -> Iterator[tuple[str, str, str, float]]:
    variants = tree["variants"]
    for part, row in variants.get("by_size", {}).items():
        yield ("size (MIoU)", part, str(row["n"]), row["mean_iou"])
    for part, row in variants.get("by_class", {}).items():
        yield ("class (MIoU)", part, str(row["n"]), row["mean_iou"])
    for part, row in variants.get("per_class", {}).items():
        yield ("class (accuracy)", part, str(int(row["n"])), row["accuracy"])
    for part, n in tree["counts"].get("n", {}).items():
        right = tree["counts"]["right"].get(part, 0)
        yield ("question type (accuracy)", part, str(n), right / n)
    confusion = tree["counts"].get("confusion", {})
    for part, value in variants.get("recall", {}).items():
        yield ("class (recall)", part, str(sum(confusion.get(part, {}).values())), value)
