"""Train the Task Granularity Classifier on frozen text vectors.

The task head learns from the same queries after it, so the classifier's weights are those that it
would have alone. Accuracy is measured on wordings that neither training nor early stopping has
seen.

See paper 3.2.1; protocols/model#granularity.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from geomag.config.schema import GranularityConfig
from geomag.data.benchmarks import Task
from geomag.magcrop.granularity import (
    LABELS,
    TASK_CONFIDENCE,
    TASKS,
    GranularityClassifier,
    TaskClassifier,
    TextHead,
    is_gcg,
    save_classifiers,
)
from geomag.magcrop.text_encoder import TextEncoder
from geomag.progress import track
from geomag.seeds import generator, seed_of
from geomag.train.granularity.texts import Part, Template, bare_templates, fill, templates

TEXTS_PER_TEMPLATE = 10


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Queries of one part with their task and the class that a head learns."""

    texts: tuple[str, ...]
    tasks: tuple[Task, ...]
    labels: Tensor
    """``[N]`` int64, index into `LABELS` or, for the task head, into `TASKS`."""
    weights: Tensor
    """``[N]``, sum 1: each template weighs the same, however many texts it fills."""


@dataclass(frozen=True, slots=True)
class GranularityRun:
    """What a training came to."""

    accuracy: float
    """Accuracy on unseen templates, in [0, 1]."""
    metrics: dict[str, Any]
    digest: str
    """Digest of the folder's files."""


def labelled_texts(part: Part, seed: int) -> LabelledTexts:
    """All texts of the templates of one part, labelled by granularity."""
    chosen = [template for template in templates(seed) if template.part == part]
    return _filled(chosen, seed, [LABELS.index(template.granularity) for template in chosen])


def task_texts(part: Part, seed: int) -> LabelledTexts:
    """The same texts labelled by task and, to train on, what people type without a verb."""
    chosen = [t for t in [*templates(seed), *bare_templates()] if t.part == part]
    return _filled(chosen, seed, [TASKS.index(template.task) for template in chosen])


def _filled(chosen: Sequence[Template], seed: int, classes: Sequence[int]) -> LabelledTexts:
    """Texts of each template, which weigh together as much as those of any other."""
    rows = []
    for template, label in zip(chosen, classes, strict=True):
        filled = fill(template, seed, TEXTS_PER_TEMPLATE)
        rows += [(text, template.task, label, 1 / len(filled)) for text in filled]
    texts, tasks, labels, weights = zip(*rows, strict=True)
    scale = torch.tensor(weights, dtype=torch.float64)
    return LabelledTexts(texts, tasks, torch.tensor(labels), scale / scale.sum())


def train_granularity(
    config: GranularityConfig,
    encoder: TextEncoder,
    out: Path,
    *,
    log: Callable[[str], None] = lambda _: None,
) -> GranularityRun:
    """Train, measure on unseen templates, and leave a whole folder at ``out`` by one rename.

    Args:
        config: Layers, optimiser, early stop, seed.
        encoder: Frozen; its vectors are computed once.
        out: Gets ``model.safetensors``, ``config.json``, ``metrics.json``, ``complete.json``.
        log: Takes progress lines.
    """
    names: tuple[Part, ...] = ("train", "val", "test")
    levels = {part: labelled_texts(part, config.seed) for part in names}
    tasks = {part: task_texts(part, config.seed) for part in names}
    log("; ".join(f"{part}: {len(data.texts)} texts" for part, data in levels.items()))
    vectors = {part: encoder.encode(data.texts) for part, data in levels.items()}
    task_vectors = {part: encoder.encode(data.texts) for part, data in tasks.items()}
    shape = (encoder.width, config.hidden, config.dropout)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(config.seed, "granularity"))
        classifier = GranularityClassifier(*shape)
        epochs = fit_head(classifier, config, levels, vectors)
        torch.manual_seed(seed_of(config.seed, "task"))
        task_classifier = TaskClassifier(*shape)
        task_epochs = fit_head(task_classifier, config, tasks, task_vectors)
    metrics = {
        "epochs": epochs,
        "encoder": {"digest": encoder.digest, "width": encoder.width, "pooling": encoder.pooling},
        "unseen_templates": measure(classifier, vectors["test"], levels["test"], LABELS),
        "seen_templates": {
            "accuracy": measure(classifier, vectors["train"], levels["train"], LABELS)["accuracy"]
        },
        "gcg_rule": rule_scores(levels["test"]),
        "n_texts": {part: len(data.texts) for part, data in levels.items()},
        "task": task_metrics(task_classifier, task_vectors, tasks, task_epochs),
    }
    accuracy = float(metrics["unseen_templates"]["accuracy"])
    log(f"accuracy on unseen templates {accuracy:.4f} after {epochs} epochs")
    sure = metrics["task"]["sure"]["test"]
    log(f"task named for {sure['share']:.4f} of them, {sure['accuracy']:.4f} of those rightly")
    digest = save_classifiers(
        out, classifier, task_classifier, encoder_digest=encoder.digest, metrics=metrics
    )
    return GranularityRun(accuracy, metrics, digest)


def fit_head(
    classifier: TextHead,
    config: GranularityConfig,
    parts: Mapping[Part, LabelledTexts],
    vectors: Mapping[Part, Tensor],
) -> int:
    """Minimise cross-entropy until the held-out loss stops falling; returns the best epoch."""
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=config.lr)
    best_loss, best_epoch, best_state = float("inf"), 0, classifier.state_dict()
    with track(f"training {type(classifier).__name__}", config.epochs) as progress:
        for epoch in range(1, config.epochs + 1):
            classifier.train()
            shuffled = generator(config.seed, "order", epoch).permutation(len(vectors["train"]))
            for batch in torch.from_numpy(shuffled).split(config.batch):
                optimizer.zero_grad()
                _loss(classifier, vectors["train"], parts["train"], batch).backward()
                optimizer.step()
            classifier.eval()
            with torch.no_grad():
                loss = float(_loss(classifier, vectors["val"], parts["val"], slice(None)))
            if loss < best_loss:
                best_loss, best_epoch = loss, epoch
                best_state = copy.deepcopy(classifier.state_dict())
            elif epoch - best_epoch >= config.patience:
                break
            progress.to(epoch, f"loss {loss:.3g}")
    classifier.load_state_dict(best_state)
    classifier.eval()
    return best_epoch


def _loss(
    classifier: TextHead,
    vectors: Tensor,
    data: LabelledTexts,
    batch: Tensor | slice,
) -> Tensor:
    """Weighted cross-entropy of the texts that ``batch`` selects."""
    weights = data.weights[batch].float()
    each = F.cross_entropy(classifier(vectors[batch]), data.labels[batch], reduction="none")
    return (each * weights).sum() / weights.sum()


@torch.no_grad()
def measure(
    classifier: TextHead, vectors: Tensor, data: LabelledTexts, labels: Sequence[StrEnum]
) -> dict[str, Any]:
    """Accuracy with each template weighing the same, by task too, and confusion in texts.

    Rows of the confusion are the truth, columns the answer, both in the order of ``labels``.
    """
    answers = classifier(vectors).argmax(dim=-1)
    n = len(labels)
    confusion = torch.bincount(data.labels * n + answers, minlength=n * n).reshape(n, n)
    right = answers == data.labels
    by_task = {}
    for task in dict.fromkeys(data.tasks):
        of_task = torch.tensor([t is task for t in data.tasks])
        by_task[str(task)] = _share(right[of_task], data.weights[of_task])
    return {
        "accuracy": _share(right, data.weights),
        "labels": [str(label) for label in labels],
        "confusion": confusion.tolist(),
        "by_task": by_task,
    }


@torch.no_grad()
def task_metrics(
    classifier: TaskClassifier,
    vectors: Mapping[Part, Tensor],
    tasks: Mapping[Part, LabelledTexts],
    epochs: int,
) -> dict[str, Any]:
    """Accuracy of the task head, and how much it is sure of (`TASK_CONFIDENCE`) how rightly."""
    sure = {}
    held_out: tuple[Part, ...] = ("val", "test")
    for part in held_out:
        chances = classifier(vectors[part]).softmax(dim=-1)
        is_sure = chances.amax(dim=-1) >= TASK_CONFIDENCE
        right = (chances.argmax(dim=-1) == tasks[part].labels)[is_sure]
        weights = tasks[part].weights
        sure[part] = {
            "share": _share(is_sure, weights),
            "accuracy": _share(right, weights[is_sure]),
        }
    return {
        "epochs": epochs,
        "unseen_templates": measure(classifier, vectors["test"], tasks["test"], TASKS),
        "sure": {"confidence": TASK_CONFIDENCE, **sure},
        "n_texts": {part: len(data.texts) for part, data in tasks.items()},
    }


def rule_scores(data: LabelledTexts) -> dict[str, float]:
    """Recall of the GCG rule, and how often it takes another task for one."""
    found = torch.tensor([is_gcg(text) for text in data.texts])
    truth = torch.tensor([task is Task.GCG for task in data.tasks])
    return {
        "recall": _share(found[truth], data.weights[truth]),
        "false_alarms": _share(found[~truth], data.weights[~truth]),
    }


def _share(holds: Tensor, weights: Tensor) -> float:
    return float((holds * weights).sum() / weights.sum())
