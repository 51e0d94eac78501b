"""Base training, part 1: a small SAM2 learns to segment the object under a point, then is frozen.

This stands in for SAM2's own pre-training in the sample profile; the paper profile loads SAM2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from geomag.model.pixel_decoder import PixelDecoder
from geomag.model.sam2_parts import Sam2Parts, normalise
from geomag.seeds import generator
from geomag.train.loop import part_of
from geomag.train.losses import bce_loss, dice_loss

POINTS_PER_IMAGE = 3
AT_ONCE = 16
POSITIVE_WEIGHT = 4.0
"""Objects cover a few percent of a scene; unweighted, drawing nothing is a long plateau."""


@dataclass(frozen=True, slots=True)
class SegmentationScene:
    """An image and the masks of its objects."""

    image: NDArray[np.uint8]
    """``[S, S, 3]`` at the encoder's input side."""
    masks: NDArray[np.bool_]
    """``[n, S / 2, S / 2]``."""


@dataclass(frozen=True, slots=True)
class Clicked:
    """A scene, some of its objects, and a click on each."""

    scene: int
    objects: list[int]
    points: NDArray[np.float32]
    """``[n, 2]``, x and y in pixels of the input."""


class PointSegmentation:
    """Job: mask of the object that a point lies on."""

    def __init__(self, parts: Sam2Parts, scenes: Sequence[SegmentationScene], *, seed: int) -> None:
        self._parts = parts
        # the finest level of Eq 1 alone is SAM2's own decoder; its gradients reach SAM2's tensors
        self._decoder = PixelDecoder(parts, n_seg=1, kind="single")
        # objects too small for the grid leave an empty mask: nothing to click on
        visible = [SegmentationScene(s.image, s.masks[s.masks.any((1, 2))]) for s in scenes]
        self._scenes = [scene for scene in visible if len(scene.masks)]
        self._seed = seed
        self._levels: list[Tensor] = []

    def parameters(self) -> dict[str, Tensor]:
        """The decoder's and the prompts' tensors that a single-mask point prompt reaches."""
        idle = (
            "image_encoder",
            "conv_s",
            "iou_prediction_head",
            "pred_obj_score_head",
            "mask_downscaling",
            "hypernetworks_mlps.1",
            "hypernetworks_mlps.2",
            "hypernetworks_mlps.3",
            "not_a_point",
        )
        return {
            name: tensor
            for name, tensor in self._parts.named_parameters()
            if not any(word in name for word in idle)
        }

    def batch(self, update: int, size: int) -> list[Clicked]:
        """Scenes with drawn objects and a point inside each."""
        rng = generator(self._seed, "points", update)
        chosen = []
        for index in rng.integers(0, len(self._scenes), size):
            scene = self._scenes[index]
            objects = rng.integers(0, len(scene.masks), POINTS_PER_IMAGE).tolist()
            points = [_point_inside(scene.masks[o], rng) for o in objects]
            chosen.append(Clicked(int(index), objects, np.asarray(points, dtype=np.float32)))
        return chosen

    def losses(self, samples: Sequence[Clicked], update: Sequence[Clicked]) -> dict[str, Tensor]:
        """BCE and Dice at half the input side."""
        chosen = [sample.scene for sample in samples]
        features = [level[chosen] for level in self._frozen()]
        points = torch.from_numpy(np.concatenate([sample.points for sample in samples]))
        sparse = self._parts.point_prompts(points)[:, :1]
        repeated = [f.repeat_interleave(POINTS_PER_IMAGE, dim=0) for f in features]
        logits = self._decoder.from_prompt(sparse, repeated)
        masks = [self._scenes[s.scene].masks[s.objects] for s in samples]
        truth = torch.from_numpy(np.concatenate(masks)).float()
        logits = F.interpolate(logits[:, None], truth.shape[-2:], mode="bilinear")[:, 0]
        bce = bce_loss(logits, truth, positive_weight=POSITIVE_WEIGHT)
        dice = dice_loss(logits, truth)
        losses = {"total": bce + 2.0 * dice, "bce": bce, "dice": dice}
        return part_of(losses, samples, update)

    @torch.no_grad()
    def _frozen(self) -> list[Tensor]:
        """The decoder's input ``[n, C, h, w]`` of all scenes: the encoder does not learn here."""
        if not self._levels:
            parts = []
            for start in range(0, len(self._scenes), AT_ONCE):
                images = [s.image for s in self._scenes[start : start + AT_ONCE]]
                pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
                parts.append(self._parts.encode(normalise(pixels)))
            self._levels = [torch.cat(levels) for levels in zip(*parts, strict=True)]
        return self._levels


def _point_inside(mask: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float]:
    """A foreground pixel of ``mask`` in pixels of the input (twice the mask's side)."""
    rows, cols = np.nonzero(mask)
    pick = int(rng.integers(len(rows)))
    return 2.0 * float(cols[pick]) + 0.5, 2.0 * float(rows[pick]) + 0.5
