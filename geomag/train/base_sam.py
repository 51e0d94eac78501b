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
from geomag.train.losses import bce_loss, dice_loss

POINTS_PER_IMAGE = 3
POSITIVE_WEIGHT = 4.0
"""Objects cover a few percent of a scene; unweighted, drawing nothing is a long plateau."""


@dataclass(frozen=True, slots=True)
class SegmentationScene:
    """An image and the masks of its objects."""

    image: NDArray[np.uint8]
    """``[S, S, 3]`` at the encoder's input side."""
    masks: NDArray[np.bool_]
    """``[n, S / 2, S / 2]``."""


class PointSegmentation:
    """Job: mask of the object that a point lies on."""

    def __init__(self, parts: Sam2Parts, scenes: Sequence[SegmentationScene], *, seed: int) -> None:
        self._parts = parts
        # the decoder of Eq 1 at omega (0, 0, 1) is SAM2's own; its gradients reach SAM2's tensors
        self._decoder = PixelDecoder(parts, n_seg=1)
        # objects too small for the grid leave an empty mask: nothing to click on
        visible = [SegmentationScene(s.image, s.masks[s.masks.any((1, 2))]) for s in scenes]
        self._scenes = [scene for scene in visible if len(scene.masks)]
        self._seed = seed

    def parameters(self) -> dict[str, Tensor]:
        """SAM2's tensors that a single-mask point prompt reaches."""
        idle = (
            "iou_prediction_head",
            "pred_obj_score_head",
            "mask_downscaling",
            "hypernetworks_mlps.1",
            "hypernetworks_mlps.2",
            "hypernetworks_mlps.3",
            "not_a_point",
            "neck.convs.0",
        )
        return {
            name: tensor
            for name, tensor in self._parts.named_parameters()
            if not any(word in name for word in idle) and tensor.requires_grad
        }

    def batch(
        self, update: int, size: int
    ) -> list[tuple[SegmentationScene, list[int], NDArray[np.float32]]]:
        """Scenes with drawn objects and a point inside each."""
        rng = generator(self._seed, "points", update)
        chosen = []
        for index in rng.integers(0, len(self._scenes), size):
            scene = self._scenes[index]
            objects = rng.integers(0, len(scene.masks), POINTS_PER_IMAGE).tolist()
            points = [_point_inside(scene.masks[o], rng) for o in objects]
            chosen.append((scene, objects, np.asarray(points, dtype=np.float32)))
        return chosen

    def losses(
        self, samples: Sequence[tuple[SegmentationScene, list[int], NDArray[np.float32]]]
    ) -> dict[str, Tensor]:
        """BCE and Dice at half the input side."""
        pixels = torch.from_numpy(np.stack([s.image for s, _, _ in samples])).permute(0, 3, 1, 2)
        features = self._parts.encode(normalise(pixels.float() / 255))
        points = torch.from_numpy(np.concatenate([p for _, _, p in samples]))
        sparse = self._parts.point_prompts(points)[:, :1]
        repeated = [f.repeat_interleave(POINTS_PER_IMAGE, dim=0) for f in features]
        logits = self._decoder.from_prompt(sparse, repeated)
        truth = torch.from_numpy(np.concatenate([s.masks[o] for s, o, _ in samples])).float()
        logits = F.interpolate(logits[:, None], truth.shape[-2:], mode="bilinear")[:, 0]
        bce = bce_loss(logits, truth, positive_weight=POSITIVE_WEIGHT)
        dice = dice_loss(logits, truth)
        return {"total": bce + 2.0 * dice, "bce": bce, "dice": dice}


def _point_inside(mask: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float]:
    """A foreground pixel of ``mask`` in pixels of the input (twice the mask's side)."""
    rows, cols = np.nonzero(mask)
    pick = int(rng.integers(len(rows)))
    return 2.0 * float(cols[pick]) + 0.5, 2.0 * float(rows[pick]) + 0.5
