"""Base training, part 0: both image towers learn what is where, cell by cell.

Stands in for the pre-training of CLIP and of Hiera in the sample profile: small heads, thrown
away afterwards, read class, colour, object centre and kind of place off the towers' feature maps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from geomag.sample.draw.categories import DIOR, LAND_USE
from geomag.sample.draw.places import PLACE_KINDS
from geomag.sample.draw.scene import Scene
from geomag.seeds import generator
from geomag.train.loop import part_of

CATEGORIES = tuple(dict.fromkeys((*DIOR, *LAND_USE)))
COLOURS = ("red", "blue", "yellow", "white", "green", "orange", "black", "grey")
LABELS = (*CATEGORIES, *COLOURS)
N_LABELS = len(LABELS)
TWINS = [LABELS.index("car"), LABELS.index("vehicle")]
"""One thing under two benchmarks' names."""
POSITIVE_WEIGHT = torch.tensor(4.0)
NAMED_SIDE = 32
"""Finer maps are not asked for names, only for what is an object and where its middle lies."""
N_SHAPE = 3
CODE = 16


def place_code(x: Tensor, y: Tensor) -> Tensor:
    """Sines and cosines of places in [0, 1], ``[..., CODE]``: alike only if they are near."""
    octaves = torch.pi / 2 * 2.0 ** torch.arange(CODE // 4, dtype=torch.float32)
    waves = torch.cat([x[..., None] * octaves, y[..., None] * octaves], dim=-1)
    return torch.cat([waves.sin(), waves.cos()], dim=-1)


def code_reader(width: int) -> Tensor:
    """Fixed directions ``[CODE, width]`` on which patches and questions both write a place.

    The same in every phase, so what a question asks for can be found among the patches.
    """
    values = generator("place code", width).normal(size=(width, CODE))
    return torch.from_numpy(np.linalg.qr(values)[0].T.copy()).float()


def read_code(states: Tensor, reader: Tensor) -> Tensor:
    """The place that states ``[..., D]`` carry, ``[..., CODE]``; their length does not matter."""
    level = states * states.square().mean(-1, keepdim=True).clamp(min=1e-6).rsqrt()
    return level @ reader.T


@dataclass(frozen=True, slots=True)
class DenseLabels:
    """What lies on each cell of a fine grid over a scene."""

    category: NDArray[np.int16]
    """``[m, m]``: index into `CATEGORIES`, -1 for none."""
    colour: NDArray[np.int16]
    """``[m, m]``: index into `COLOURS`, -1 for none."""
    centre: NDArray[np.float32]
    """``[2, m, m]``: x and y of the object's centre in [-1, 1]; 0 where there is none."""
    place: int
    """Index into `PLACE_KINDS`, -1 for a scene of objects."""


def dense_labels(scene: Scene, side: int) -> DenseLabels:
    """Labels of a scene on a grid of ``side`` cells."""
    height, width = scene.image.shape[:2]
    rows = ((np.arange(side) + 0.5) * height / side).astype(int)
    columns = ((np.arange(side) + 0.5) * width / side).astype(int)
    category = np.full((side, side), -1, dtype=np.int16)
    colour = np.full((side, side), -1, dtype=np.int16)
    centre = np.zeros((2, side, side), dtype=np.float32)
    for thing in scene.objects:
        cells = thing.mask[np.ix_(rows, columns)]
        if thing.category in CATEGORIES:
            category[cells] = CATEGORIES.index(thing.category)
        if thing.colour in COLOURS:
            colour[cells] = COLOURS.index(thing.colour)
        centre[0][cells] = (thing.box.x0 + thing.box.x1) / width - 1
        centre[1][cells] = (thing.box.y0 + thing.box.y1) / height - 1
    place = PLACE_KINDS.index(scene.kind) if scene.kind in PLACE_KINDS else -1
    return DenseLabels(category, colour, centre, place)


class DensePretraining:
    """Job: read the labels off a tower's feature maps.

    Args:
        tower: ``[B, 3, S, S]`` in [0, 1] to feature maps ``[B, C_l, h_l, h_l]``.
        trainable: The tower's tensors by name.
        widths: C_l of each map.
        images: ``[S, S, 3]`` uint8 of each scene.
        labels: Of each scene, as fine as the finest map or finer.
        seed: Of the batches and of the heads.
        words: Gives a vector per label ``[N_LABELS, C]``; labels are then read by cosine with their
            words, as CLIP does, so that a patch and the word for it point the same way.
    """

    def __init__(
        self,
        tower: Callable[[Tensor], list[Tensor]],
        trainable: dict[str, Tensor],
        widths: Sequence[int],
        data: tuple[Sequence[NDArray[np.uint8]], Sequence[DenseLabels]],
        *,
        seed: int,
        words: Callable[[], Tensor] | None = None,
    ) -> None:
        self._tower, self._trainable, self._seed = tower, trainable, seed
        self._images, self._labels = data
        self._words = words
        self._reader = code_reader(widths[-1])
        self._sharpness = nn.Parameter(torch.tensor([10.0, -4.0]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._cells = nn.ModuleList([nn.Linear(w, N_LABELS + N_SHAPE) for w in widths])
            self._place = nn.Linear(widths[-1], len(PLACE_KINDS))

    def parameters(self) -> dict[str, Tensor]:
        """The tower's tensors and the heads'."""
        heads = {f"cells.{k}": v for k, v in self._cells.named_parameters()}
        heads.update({f"place.{k}": v for k, v in self._place.named_parameters()})
        if self._words is not None:
            heads["sharpness"] = self._sharpness
        return {**self._trainable, **heads}

    def batch(self, update: int, size: int) -> list[int]:
        """Scene numbers of an update."""
        rng = generator(self._seed, "dense", update)
        return [int(i) for i in rng.integers(0, len(self._images), size)]

    def losses(self, samples: Sequence[int], update: Sequence[int]) -> dict[str, Tensor]:
        """What is in each cell, where each label is found, object centres, the kind of place."""
        pixels = torch.from_numpy(np.stack([self._images[i] for i in samples])).permute(0, 3, 1, 2)
        labels = [self._labels[i] for i in samples]
        maps = self._tower(pixels.float() / 255)
        what, found, where = (maps[0].new_zeros(()) for _ in range(3))
        for features, head in zip(maps, self._cells, strict=True):
            cells = coarse_labels(labels, features.shape[-1])
            where = where + _shape_loss(_read(features, head, slice(N_LABELS, None)), cells)
            if features.shape[-1] > NAMED_SIDE:
                continue
            if self._words is None:
                named = _read(features, head, slice(0, N_LABELS))
            else:
                named = self._by_words(features)
            what = what + F.binary_cross_entropy_with_logits(
                named, cells.present, pos_weight=POSITIVE_WEIGHT
            )
            found = found + pointing_loss(named, cells.present)
        place = torch.tensor([label.place for label in labels])
        kinds = self._place(maps[-1].mean((2, 3)))
        known = (place >= 0).sum().clamp(min=1)
        scene = F.cross_entropy(kinds, place, ignore_index=-1, reduction="sum") / known
        losses = {"what": what, "found": found, "where": where, "scene": scene}
        total = 4 * what + 3 * found + where + 0.3 * scene
        if self._words is not None:
            losses["code"] = self._code_loss(maps[-1])
            total = total + losses["code"]
        return part_of({"total": total, **losses}, samples, update)

    def _code_loss(self, features: Tensor) -> Tensor:
        """How far patches are from saying where they stand."""
        side = features.shape[-1]
        centres = (torch.arange(side) + 0.5) / side
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        said = read_code(features.permute(0, 2, 3, 1), self._reader)
        return F.mse_loss(said, place_code(x, y).expand_as(said))

    def _by_words(self, features: Tensor) -> Tensor:
        assert self._words is not None
        words = F.normalize(self._words(), dim=1)
        cosine = torch.einsum("bchw,lc->blhw", F.normalize(features, dim=1), words)
        scale, bias = self._sharpness
        return cosine * scale + bias


def _read(features: Tensor, head: nn.Linear, rows: slice) -> Tensor:
    """Some outputs of a head at every cell, ``[B, n, s, s]``; as a product, not a convolution."""
    side = features.shape[-1]
    said = F.linear(features.flatten(2).transpose(1, 2), head.weight[rows], head.bias[rows])
    return said.transpose(1, 2).unflatten(2, (side, side))


def _shape_loss(said: Tensor, cells: "CoarseLabels") -> Tensor:
    """Covered or not, and how far the object's middle is from where ``said`` ``[B, 3, s, s]``."""
    covered = F.binary_cross_entropy_with_logits(
        said[:, 2:], cells.share, pos_weight=POSITIVE_WEIGHT
    )
    error = (said[:, :2] - cells.centre).abs().sum(1, keepdim=True)
    return covered + (error * cells.share).sum() / cells.share.sum().clamp(min=1)


def pointing_loss(logits: Tensor, present: Tensor) -> Tensor:
    """How badly a label's best cells miss it, each label of each image counting the same.

    Cell by cell, large things outweigh small ones by their area, and ships and vehicles stay
    unlearned; here a vehicle counts as much as a stadium.

    Args:
        logits: ``[B, N_LABELS, s, s]``.
        present: The same shape, 1 where a cell has the label.

    Returns:
        Mean over present labels of ``-log`` of the softmax mass inside; 0 if there are none.
    """
    scores, inside = logits.flatten(2), present.flatten(2) > 0
    seen = inside.any(-1)
    if not bool(seen.any()):
        return logits.new_zeros(())
    outside = torch.finfo(scores.dtype).min
    kept = scores.masked_fill(~inside, outside)[seen]
    return (scores[seen].logsumexp(-1) - kept.logsumexp(-1)).mean()


@dataclass(frozen=True, slots=True)
class CoarseLabels:
    """Labels of a batch on a tower's own grid."""

    present: Tensor
    """``[B, N_LABELS, s, s]`` float: 1 where any pixel of the cell has the label."""
    centre: Tensor
    """``[B, 2, s, s]``: mean centre over the covered part of the cell."""
    share: Tensor
    """``[B, 1, s, s]``: how much of the cell objects cover."""


def coarse_labels(labels: Sequence[DenseLabels], side: int) -> CoarseLabels:
    """Labels on a grid of ``side`` cells, scattered from the covered pixels alone.

    A one-hot map of every pixel and label would take longer than the tower.
    """
    present = np.zeros((len(labels), N_LABELS, side, side), dtype=np.float32)
    for name, first in (("category", 0), ("colour", len(CATEGORIES))):
        index = np.stack([getattr(label, name) for label in labels])
        b, y, x = np.nonzero(index >= 0)
        fine = index.shape[-1]
        present[b, first + index[b, y, x], y * side // fine, x * side // fine] = 1
    present[:, TWINS] = present[:, TWINS].max(1, keepdims=True)
    centre = torch.from_numpy(np.stack([label.centre for label in labels]))
    share = F.adaptive_avg_pool2d((centre != 0).any(1, keepdim=True).float(), side)
    mean = F.adaptive_avg_pool2d(centre, side) / share.clamp(min=1e-6)
    return CoarseLabels(torch.from_numpy(present), mean, share)
