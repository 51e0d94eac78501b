"""Joint training of LoRA, [SEG] rows, Text Projection and Pixel Decoder.

Paper 4.1; protocols/model#training.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from geomag.config.schema import PromptConfig, TrainConfig
from geomag.data.benchmarks import Task
from geomag.model.geomag import GeoMag
from geomag.model.packing import PackedQuestion, QuestionIds
from geomag.model.training_pass import BatchPart, PartOutput, TrainingBatch, TrainingOutput
from geomag.train.alignment import row_attention
from geomag.train.losses import alignment_loss, answer_loss, bce_loss, dice_loss, n_answers
from geomag.train.mixture import Drawn, Mixture
from geomag.train.samples import Sample
from geomag.train.sources import RowSource

T = TypeVar("T")
Row = Drawn[Sample]
SPLIT_SAVES = 2048
"""Positions whose computing takes a GPU as long as Python takes to launch one pass more."""


class JointTraining:
    """Job: answer every benchmark's training records, and draw the masks they ask for."""

    def __init__(self, model: GeoMag, source: RowSource, config: TrainConfig) -> None:
        self._model = model
        self._config = config
        self._seg_ids = model.seg_ids
        self._ids = QuestionIds(model.vlm)
        self._source = source

    @classmethod
    def of_samples(
        cls,
        model: GeoMag,
        samples: Mapping[str, Sequence[Sample]],
        config: TrainConfig,
        prompt: PromptConfig,
    ) -> "JointTraining":
        """The job on samples of each benchmark that are there already, in a wording."""
        return cls(model, Mixture(samples, config, prompt, n_seg=len(model.seg_ids)), config)

    def parameters(self) -> dict[str, Tensor]:
        """Adapter, projection, decoder, beta and omega."""
        found = self._model.trainable_parameters()
        return {name: tensor.requires_grad_(True) for name, tensor in found.items()}

    def batch(self, update: int, size: int) -> Sequence[Row]:
        """Rows drawn by task shares, each with its questions."""
        return self._source.rows(update, size)

    def losses(self, samples: Sequence[Row], update: Sequence[Row]) -> dict[str, Tensor]:
        """CE on answers, BCE and Dice on masks, and the alignment where it is switched on.

        Each is a mean over all that the update holds of its kind: an answer's token weighs the
        same beside a long description and without one.
        """
        config, whole = self._config, self._counts(update)
        saves = 0 if self._model.vlm.device.type == "cpu" else SPLIT_SAVES
        parts = by_length(samples, self._length, saves=saves)
        ordered = [drawn for part in parts for drawn in part]
        output = self._model(self._batch(parts))
        ce = [
            (
                answer_loss(part.logits, part.rows.packed, mean=config.ce_mean),
                n_answers(part.rows.packed, mean=config.ce_mean),
            )
            for part in output.parts
        ]
        losses = {"ce": _joined(ce, whole.answers)}
        total = config.ce * losses["ce"]
        if output.mask_logits is not None:
            losses.update(self._mask_losses(ordered, output, whole))
            total = total + config.bce * losses["bce"] + config.dice * losses["dice"]
            total = total + config.point * losses["point"]
        if config.alignment:
            aligned = [
                self._alignment(rows, part) for rows, part in zip(parts, output.parts, strict=True)
            ]
            losses["alignment"] = _joined(aligned, whole.aligned)
            total = total + config.alignment * losses["alignment"]
        return {"total": total, **losses}

    def _batch(self, parts: Sequence[Sequence[Row]]) -> TrainingBatch:
        """The network's input: each row's image once, and the features of each target's image."""
        rows = [
            BatchPart([d.sample.visual for d in part], [self._questions(d) for d in part])
            for part in parts
        ]
        device = self._model.vlm.device
        drawn = [d.sample for part in parts for d in part if len(d.sample.truth)]
        owners = torch.tensor([i for i, one in enumerate(drawn) for _ in one.truth], device=device)
        levels = range(len(drawn[0].features)) if drawn else ()
        features = [  # sent once an image, whatever number of targets it has
            sent(torch.stack([one.features[level] for one in drawn]), device)[owners]
            for level in levels
        ]
        return TrainingBatch(self._ids.head, rows, features)

    def _counts(self, update: Sequence[Row]) -> "_Counts":
        """What an update's means are taken over, known before anything is computed."""
        lengths = [
            [len(question.answer) for question in self._questions(drawn)] for drawn in update
        ]
        by_kind = {"row": len(lengths), "answer": sum(map(len, lengths))}
        by_kind["token"] = sum(map(sum, lengths))
        points = torch.cat([drawn.sample.points for drawn in update])
        return _Counts(
            answers=by_kind[self._config.ce_mean],
            masks=len(points),
            points=int(torch.isfinite(points).all(1).sum()),
            aligned=sum(_n_in_sight(drawn) for drawn in update),
        )

    def _questions(self, drawn: Row) -> list[PackedQuestion]:
        return [self._ids.question(one.prompt, one.answer) for one in drawn.asked]

    def _length(self, drawn: Row) -> int:
        asked = sum(
            len(question.question) + len(question.answer) for question in self._questions(drawn)
        )
        return len(self._ids.head) + len(drawn.sample.visual) + asked

    def _mask_losses(
        self, samples: Sequence[Row], output: TrainingOutput, whole: "_Counts"
    ) -> dict[str, Tensor]:
        """Losses of the targets of ``samples`` in order."""
        logits, prompts = output.mask_logits, output.prompts
        assert logits is not None
        assert prompts is not None
        device = logits.device
        drawn = [d.sample for d in samples if len(d.sample.truth)]
        truth = sent(torch.cat([one.truth for one in drawn]), device)
        logits = F.interpolate(logits[:, None], truth.shape[-2:], mode="bilinear")[:, 0]
        points = torch.cat([one.points for one in drawn]).to(device)
        return {
            "bce": _joined([(bce_loss(logits, truth), len(truth))], whole.masks),
            "dice": _joined([(dice_loss(logits, truth), len(truth))], whole.masks),
            "point": _joined([self._point_loss(prompts[:, 0], points)], whole.points),
        }

    def _point_loss(self, prompts: Tensor, points: Tensor) -> tuple[Tensor, int]:
        """How far the fused [SEG] embedding is from SAM2's own code of a click on the target.

        Ours, not the paper's: SAM2's decoder understands clicks already, so the projection can
        learn to speak that language instead of waiting for the masks to teach it.
        """
        seen = torch.isfinite(points).all(1)
        if not self._config.point or not bool(seen.any()):
            return prompts.new_zeros(()), 0
        with torch.no_grad():
            wanted = self._model.sam.point_prompts(points[seen])[:, 0]
        return F.mse_loss(prompts[seen], wanted), int(seen.sum())

    def _alignment(self, rows: Sequence[Row], part: PartOutput) -> tuple[Tensor, int]:
        """Loss and number of the positions that begin a [SEG] group or a box's class name."""
        packed = part.rows.packed
        places, targets = [], []
        for (row, column), cells in zip(
            part.groups.tolist(),
            [c for d in rows if len(d.sample.truth) for c in d.sample.cells],
            strict=True,
        ):
            places.append((row, column - 1))
            targets.append((row, cells))
        questions = [(row, one) for row, drawn in enumerate(rows) for one in drawn.asked]
        for (row, one), place in zip(questions, part.rows.last_prompt.tolist(), strict=True):
            if rows[row].sample.task is Task.ROC:
                places.append(tuple(place))
                targets.append((row, rows[row].sample.cells[one.index]))
        if not places:
            return packed.embeds.new_zeros(()), 0
        at = torch.tensor(places, device=packed.embeds.device)
        layer = self._model.vlm.language_model.layers[-1]
        attention = row_attention(layer, part.last_layer, at, packed.mask)
        target = torch.zeros_like(attention)
        for index, (row, cells) in enumerate(targets):
            target[index, packed.image_columns[row]] = cells.to(target.device)
        return alignment_loss(attention, target), int((target.sum(1) > 0).sum())


@dataclass(frozen=True, slots=True)
class _Counts:
    """Counts of a whole update."""

    answers: int
    """Tokens, answers or rows, as ``train.ce_mean`` says."""
    masks: int
    points: int
    """Masks of which SAM2 sees something."""
    aligned: int
    """Targets that the attention is aligned with."""


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on the device; to a GPU by pinned memory, without waiting for it."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def by_length(samples: Sequence[T], length: Callable[[T], int], *, saves: int = 0) -> list[list[T]]:
    """Samples in one or two parts of like length, so that few positions are padding.

    A conversation with many masks is three times as long as an answer of one word; in one batch
    every row would be padded to it.

    Args:
        samples: Of a micro-batch.
        length: Positions of one.
        saves: Positions of padding that two parts must save, or it stays one.

    >>> by_length(["a", "bbbbbbbb", "cc", "d"], len)
    [['a', 'd', 'cc'], ['bbbbbbbb']]
    >>> by_length(["a", "bbbbbbbb", "cc", "d"], len, saves=100)
    [['a', 'd', 'cc', 'bbbbbbbb']]
    """
    ordered = sorted(samples, key=length)
    sizes = [length(sample) for sample in ordered]

    def cost(cut: int) -> int:
        return cut * (sizes[cut - 1] if cut else 0) + (len(sizes) - cut) * sizes[-1]

    cut = min(range(len(sizes)), key=cost)
    if cost(0) - cost(cut) < saves:
        cut = 0
    return [part for part in (ordered[:cut], ordered[cut:]) if part]


def _joined(means: Sequence[tuple[Tensor, int]], total: int) -> Tensor:
    """What the means of parts, each with its count, add to a mean over ``total``."""
    return torch.stack([mean * count for mean, count in means]).sum() / max(1, total)


def _n_in_sight(drawn: Row) -> int:
    """Targets of a row that its visual tokens show something of."""
    sample = drawn.sample
    if len(sample.truth):
        cells = sample.cells
    elif sample.task is Task.ROC:
        cells = sample.cells[[one.index for one in drawn.asked]]
    else:
        return 0
    return int((cells.sum(1) > 0).sum())
