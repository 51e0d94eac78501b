"""Training samples: model inputs with what the frozen parts make of them, computed once."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geomag.data.benchmarks import Task
from geomag.data.records import Record
from geomag.geometry import box_mask, decode_mask
from geomag.magcrop.views import ImageView
from geomag.model.geomag import GeoMag
from geomag.model.model_input import ModelInput
from geomag.model.vision import merge, unit_box
from geomag.train.alignment import cell_targets

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at an image and what may be asked about it, ready for any number of epochs."""

    records: tuple[Record, ...]
    """Records of one task; one with masks is alone."""
    visual: Tensor
    """``[n, D]`` visual tokens, or ``[n, C]`` where the projector trains
    (`GeoMag.frozen_visual`)."""
    features: tuple[Tensor, ...]
    """SAM2's levels ``[C_l, h_l, w_l]``, fine to coarse; empty where nothing is drawn."""
    truth: Tensor
    """``[K, m, m]``: share of each cell that target k covers, in SAM2's frame."""
    cells: Tensor
    """``[K, n]``: share of each visual token that target k covers, best cell 1. Targets are the
    masks, or each record's box."""
    points: Tensor
    """``[K, 2]``: a pixel of SAM2's input inside each mask; NaN where it sees none of it."""

    @property
    def task(self) -> Task:
        """Task shared by all records of the sample."""
        return self.records[0].task


Seen = tuple[tuple[Record, ...], ModelInput]
"""Records and how they are all seen."""
S = TypeVar("S", bound=Hashable)


def asked_together(seen: Iterable[tuple[Record, S]]) -> Iterator[tuple[tuple[Record, ...], S]]:
    """Records in a row of one image, those that are seen alike as one.

    Args:
        seen: Each record with what decides the pixels that are seen of it
            (`geomag.train.inputs.Sight`), or with its look: one object, not one that is alike, for
            stitched images of two windows differ in nothing but their pixels.

    Returns:
        Groups in order of their first record; a record with masks stays alone.
    """
    for _, of_image in groupby(seen, key=lambda pair: pair[0].image):
        groups: dict[tuple[S, str | None], list[Record]] = {}
        for record, model_input in of_image:
            alone = record.id if record.masks else None
            groups.setdefault((model_input, alone), []).append(record)
        for (model_input, _alone), records in groups.items():
            yield tuple(records), model_input


def prepare(model: GeoMag, seen: Iterable[Seen]) -> Iterator[Sample]:
    """Yield a sample per look, in order; the frozen towers run once, in batches.

    Args:
        model: Its VLM tower, projector and SAM2 encoder are used.
        seen: Records of any task, each group with how it is seen (`asked_together`).
    """
    groups = iter(seen)
    while part := list(islice(groups, AT_ONCE)):
        visual = model.frozen_visual([model_input for _, model_input in part])
        drawn = [i for i, (records, _) in enumerate(part) if records[0].masks]
        levels = [f.cpu() for f in model.features([part[i][1] for i in drawn])] if drawn else []
        place = {index: number for number, index in enumerate(drawn)}
        for index, ((records, model_input), tokens) in enumerate(zip(part, visual, strict=True)):
            # cloned: a view would carry its batch along to wherever the sample is sent
            features = (
                tuple(level[place[index]].clone() for level in levels) if index in place else ()
            )
            yield _sample(model, records, model_input, tokens.cpu(), features)


def _sample(
    model: GeoMag,
    records: tuple[Record, ...],
    model_input: ModelInput,
    visual: Tensor,
    features: tuple[Tensor, ...],
) -> Sample:
    patch = model.vlm.patch_px
    side = model.sam.size.image_px // 2
    first = records[0]
    masks = [decode_mask(rle) for rle in first.masks]
    truth = [_in_encoder_frame(mask, model_input, side) for mask in masks]
    size = {"width": first.width, "height": first.height}
    if first.task is Task.ROC:
        masks = [box_mask(record.boxes[0], **size) for record in records]
    cells = [
        np.concatenate(
            [token_targets(mask, view, patch_px=patch, **size) for view in model_input.views]
        )
        for mask in masks
    ]
    return Sample(
        records,
        visual,
        features,
        torch.from_numpy(np.stack(truth)) if truth else torch.zeros(0, side, side),
        torch.from_numpy(np.stack(cells)) if cells else torch.zeros(0, len(visual)),
        torch.tensor([_point_inside(mask) for mask in truth]).reshape(-1, 2),
    )


def token_targets(
    mask: NDArray[np.bool_], view: ImageView, *, width: int, height: int, patch_px: int
) -> NDArray[np.float32]:
    """`cell_targets` of a view's tokens, in their order; a merged token has its cells' mean."""
    box = unit_box(view, width=width, height=height)
    cells = cell_targets(mask, box, view.grid(patch_px))
    return merge(torch.from_numpy(cells)[:, None], view.kept)[:, 0].numpy() if view.kept else cells


def _point_inside(truth: NDArray[np.float32]) -> tuple[float, float]:
    """The covered cell nearest to the target's middle, in pixels of the input (twice the grid)."""
    rows, columns = np.nonzero(truth >= min(0.5, float(truth.max()) or 1.0))
    if rows.size == 0:
        return (float("nan"), float("nan"))
    far = (rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2
    best = int(far.argmin())
    return (2.0 * float(columns[best]) + 0.5, 2.0 * float(rows[best]) + 0.5)


def _in_encoder_frame(
    mask: NDArray[np.bool_], model_input: ModelInput, side: int
) -> NDArray[np.float32]:
    if model_input.encoder_box is not None:
        x0, y0, x1, y1 = model_input.encoder_box.as_ints()
        mask = mask[y0:y1, x0:x1]
    resized = cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.float32)
