"""Joint training of LoRA, [SEG] rows, Text Projection and Pixel Decoder (paper 4.1; protocol 9)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from geomag.config.schema import TrainConfig
from geomag.data.benchmarks import Task
from geomag.data.prompts import answer_of, evaluation_prompt, frame, training_prompt
from geomag.data.records import Record
from geomag.model.adapter import adapter_parameters
from geomag.model.geomag import GeoMag
from geomag.model.segments import label_groups
from geomag.model.vlm import Packed
from geomag.seeds import generator
from geomag.train.alignment import row_attention
from geomag.train.losses import alignment_loss, answer_loss, bce_loss, dice_loss, n_answers
from geomag.train.samples import Sample

T = TypeVar("T")
IDLE = (
    "iou_prediction_head",
    "pred_obj_score_head",
    "hypernetworks_mlps.1",
    "hypernetworks_mlps.2",
    "hypernetworks_mlps.3",
    "conv_s0",
    "conv_s1",
)
"""SAM2 decoder parts that Eq 1 never reaches, or that run before the feature cache."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One sample of an update with the wording and reference drawn for it."""

    sample: Sample
    prompt: str
    answer: str


class JointTraining:
    """Job: answer every benchmark's training records, and draw the masks they ask for."""

    def __init__(
        self, model: GeoMag, samples: Mapping[str, Sequence[Sample]], config: TrainConfig
    ) -> None:
        self._model = model
        self._samples = {name: list(rows) for name, rows in samples.items() if rows}
        self._config = config
        weights = np.array(
            [
                getattr(config, f"share_{_task(rows).value}") / _rivals(self._samples, _task(rows))
                for rows in self._samples.values()
            ]
        )
        self._names = list(self._samples)
        self._weights = weights / weights.sum()
        self._seg_ids = model.seg_ids

    def parameters(self) -> dict[str, Tensor]:
        """Adapter, projection, decoder, beta and omega."""
        found = adapter_parameters(self._model.vlm)
        found.update({f"projection.{k}": v for k, v in self._model.projection.named_parameters()})
        for name, tensor in self._model.decoder.named_parameters():
            if not any(word in name for word in IDLE) and self._reached(name):
                found[f"decoder.{name}"] = tensor
        return {name: tensor.requires_grad_(True) for name, tensor in found.items()}

    def _reached(self, name: str) -> bool:
        kind = self._model.decoder.kind
        if name == "level_embed":
            return kind == "per_level"
        if name.startswith(("hyper_1", "omega")):
            return kind == "sam2_ms" or (kind == "per_level" and name == "omega")
        if name.startswith("hyper_2"):
            return kind != "single"
        if "output_upscaling" in name or "hypernetworks" in name:
            return kind != "per_level"
        return True

    def batch(self, update: int, size: int) -> list[Drawn]:
        """Records drawn by task shares, each with a wording and a reference."""
        rng = generator(self._config.seed, "joint", update)
        drawn = []
        for name in rng.choice(self._names, size, p=self._weights):
            rows = self._samples[str(name)]
            sample = rows[int(rng.integers(len(rows)))]
            choice = int(rng.integers(max(1, len(sample.record.answers))))
            prompt = self._wording(sample.record, rng)
            answer = answer_of(sample.record, n_seg=len(self._seg_ids), choice=choice)
            drawn.append(Drawn(sample, prompt, answer))
        return drawn

    def _wording(self, record: Record, rng: np.random.Generator) -> str:
        settings = self._model.profile.prompt
        if settings.wordings == "evaluation":
            return evaluation_prompt(record, scene=settings.scene, decimals=settings.box_decimals)
        return training_prompt(record, rng, scene=settings.scene, decimals=settings.box_decimals)

    def losses(self, samples: Sequence[Drawn]) -> dict[str, Tensor]:
        """CE on answers, BCE and Dice on masks, and the alignment where it is switched on."""
        config = self._config
        passes = [self._read(part) for part in by_length(samples, self._length)]
        losses = {"ce": _weighted([(p.ce, p.n_answer) for p in passes])}
        total = config.ce * losses["ce"]
        ordered = [drawn for p in passes for drawn in p.samples]
        h_seg = torch.cat([p.h_seg for p in passes])
        if len(h_seg):
            losses.update(self._mask_losses(ordered, h_seg))
            total = total + config.bce * losses["bce"] + config.dice * losses["dice"]
            total = total + config.point * losses["point"]
        if config.alignment:
            losses["alignment"] = _weighted([(p.alignment, p.n_aligned) for p in passes])
            total = total + config.alignment * losses["alignment"]
        return {"total": total, **losses}

    def _length(self, drawn: Drawn) -> int:
        vlm = self._model.vlm
        return len(vlm.ids(drawn.prompt)) + len(drawn.sample.visual) + len(vlm.ids(drawn.answer))

    def _read(self, samples: Sequence[Drawn]) -> "_Pass":
        """One forward pass of the language model over rows of like length."""
        vlm = self._model.vlm
        end = int(vlm.tokenizer.eos_token_id)
        packed = vlm.pack(
            [vlm.ids(frame(d.prompt)) for d in samples],
            [d.sample.visual.to(vlm.device) for d in samples],
            [[*vlm.ids(d.answer), end] for d in samples],
        )
        with vlm.last_layer_input() as caught:
            states = vlm.states(packed)
        groups = label_groups(packed.labels, self._seg_ids)
        offsets = torch.arange(len(self._seg_ids), device=states.device)
        aligned, n_aligned = packed.embeds.new_zeros(()), 0
        if self._config.alignment:
            aligned, n_aligned = self._alignment(samples, packed, groups, caught)
        return _Pass(
            samples,
            answer_loss(vlm.lm_head, states, packed, mean=self._config.ce_mean),
            n_answers(packed, mean=self._config.ce_mean),
            states[groups[:, :1], groups[:, 1:] - 1 + offsets],  # what predicts each [SEG]
            aligned,
            n_aligned,
        )

    def _mask_losses(self, samples: Sequence[Drawn], h_seg: Tensor) -> dict[str, Tensor]:
        """Losses of the targets of ``samples`` in order; ``h_seg`` is ``[K, N, D]``."""
        device = h_seg.device
        owners = [i for i, d in enumerate(samples) for _ in range(len(d.sample.truth))]
        features = [
            torch.stack([samples[o].sample.features[level] for o in owners]).to(device)
            for level in range(3)
        ]
        truth = torch.cat([d.sample.truth for d in samples if len(d.sample.truth)]).to(device)
        prompts = self._model.decoder.fuse(self._model.projection(h_seg.float()))
        logits = self._model.decoder.from_prompt(prompts, features)
        logits = F.interpolate(logits[:, None], truth.shape[-2:], mode="bilinear")[:, 0]
        points = torch.cat([d.sample.points for d in samples if len(d.sample.truth)]).to(device)
        return {
            "bce": bce_loss(logits, truth),
            "dice": dice_loss(logits, truth),
            "point": self._point_loss(prompts[:, 0], points),
        }

    def _point_loss(self, prompts: Tensor, points: Tensor) -> Tensor:
        """How far the fused [SEG] embedding is from SAM2's own code of a click on the target.

        Ours, not the paper's: SAM2's decoder understands clicks already, so the projection can
        learn to speak that language instead of waiting for the masks to teach it.
        """
        seen = torch.isfinite(points).all(1)
        if not self._config.point or not bool(seen.any()):
            return prompts.new_zeros(())
        with torch.no_grad():
            wanted = self._model.sam.point_prompts(points[seen])[:, 0]
        return F.mse_loss(prompts[seen], wanted)

    def _alignment(
        self, samples: Sequence[Drawn], packed: Packed, groups: Tensor, caught: dict[str, Tensor]
    ) -> tuple[Tensor, int]:
        """Loss and number of the rows that begin a [SEG] group or a box's class name."""
        rows, targets = [], []
        columns = packed.image_columns
        for (row, column), cells in zip(
            groups.tolist(),
            [c for d in samples if len(d.sample.truth) for c in d.sample.cells],
            strict=True,
        ):
            rows.append((row, column - 1))
            targets.append((row, cells))
        for row, drawn in enumerate(samples):
            if drawn.sample.record.task is Task.ROC:
                first = int((packed.labels[row] >= 0).nonzero()[0, 0])
                rows.append((row, first - 1))
                targets.append((row, drawn.sample.cells[0]))
        if not rows:
            return packed.embeds.new_zeros(()), 0
        place = torch.tensor(rows, device=packed.embeds.device)
        layer = self._model.vlm.language_model.layers[-1]
        attention = row_attention(layer, caught, place, packed.mask)
        target = torch.zeros_like(attention)
        for index, (row, cells) in enumerate(targets):
            target[index, columns[row]] = cells.to(target.device)
        return alignment_loss(attention, target), int((target.sum(1) > 0).sum())


@dataclass(frozen=True, slots=True)
class _Pass:
    """What one forward pass over part of an update gives."""

    samples: Sequence[Drawn]
    ce: Tensor
    n_answer: int
    h_seg: Tensor
    """``[K, N, D]``, the targets of the samples in order."""
    alignment: Tensor
    n_aligned: int


def by_length(samples: Sequence[T], length: Callable[[T], int]) -> list[list[T]]:
    """Samples in one or two parts of like length, so that few positions are padding.

    A conversation with many masks is three times as long as an answer of one word; in one batch
    every row would be padded to it.

    >>> by_length(["a", "bbbbbbbb", "cc", "d"], len)
    [['a', 'd', 'cc'], ['bbbbbbbb']]
    """
    ordered = sorted(samples, key=length)
    sizes = [length(sample) for sample in ordered]

    def cost(cut: int) -> int:
        return cut * (sizes[cut - 1] if cut else 0) + (len(sizes) - cut) * sizes[-1]

    cut = min(range(len(sizes)), key=cost)
    return [part for part in (ordered[:cut], ordered[cut:]) if part]


def _weighted(means: Sequence[tuple[Tensor, int]]) -> Tensor:
    """Mean of all from the means of parts and their counts; 0 if they are empty."""
    total = sum(count for _, count in means)
    return torch.stack([mean * count for mean, count in means]).sum() / max(1, total)


def _task(rows: Sequence[Sample]) -> Task:
    return rows[0].record.task


def _rivals(samples: Mapping[str, Sequence[Sample]], task: Task) -> int:
    """How many benchmarks share a task's part of the batch."""
    return sum(_task(rows) is task for rows in samples.values())
