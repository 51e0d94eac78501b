"""Windows that training draws around its targets, so that looking through one is learned.

Not in the paper, which trains on whatever windows Eq 4 finds. While the probe is poor many of them
miss the target, and a model that has learned from them that windows are noise gains nothing from a
right one later. Here a target is seen whole and through a window that holds it; finding the window
stays the probe's work (docs/decisions/0015).
"""

from collections.abc import Iterator, Sequence

import numpy as np

from geomag.config.schema import Profile
from geomag.data.benchmarks import Granularity
from geomag.data.records import Record
from geomag.geometry import PixelBox, box_of_mask, decode_mask, union_of
from geomag.magcrop.window import grow_box
from geomag.seeds import generator

CONTEXT = (1.4, 4.0)
"""Sides of a window, in longer sides of its target: from a tight mask's to a generous one's."""
MOST = 2 / 3
"""A window longer than this share of min(W, H) magnifies too little to be one."""
NESTED = 0.5
"""Share of the pixel-level windows that stand in one of twice their side: C_2 in C_1."""
MISSED = 0.25
"""Share of the pixel-level windows that hold nothing of the target: there is nothing to draw."""
TRIES = 20


def drawn_boxes(
    records: Sequence[Record], granularity: Granularity, profile: Profile
) -> Iterator[tuple[Record, tuple[PixelBox, ...]]]:
    """Windows around each record's target; records that cannot have one are left out."""
    for record in records:
        rng = generator(profile.train.seed, "drawn window", record.benchmark, record.id)
        boxes = drawn_windows(record, granularity, rng, min_px=profile.magcrop.min_px)
        if boxes:
            yield record, boxes


def drawn_windows(
    record: Record, granularity: Granularity, rng: np.random.Generator, *, min_px: int
) -> tuple[PixelBox, ...]:
    """C_1, or C_1 and C_2, on pixel borders, around a record's target.

    The target lies anywhere inside, as it does in a window that was found. Some pixel-level windows
    miss it, as those do too: a model that has only seen right windows is as sure in a wrong one.

    Returns:
        Nothing where there is no target, or where it is too large to be magnified.
    """
    target = _target(record)
    if target is None:
        return ()
    most = MOST * min(record.width, record.height)
    longer = max(target.width, target.height)
    side = max(longer * rng.uniform(*CONTEXT), float(min_px))
    if side > most:
        return ()
    if granularity is Granularity.PIXEL and rng.random() < MISSED:
        return _beside(target, side, record, rng)
    inner = _around(target, side, record, rng)
    if granularity is Granularity.PIXEL and 2 * side <= most and rng.random() < NESTED:
        return (_around(inner, 2 * side, record, rng), inner)
    return (inner,)


def _around(inside: PixelBox, side: float, record: Record, rng: np.random.Generator) -> PixelBox:
    """A square of ``side`` pixels that holds ``inside``, moved into the image."""
    x = rng.uniform(inside.x1 - side, inside.x0)
    y = rng.uniform(inside.y1 - side, inside.y0)
    spot = PixelBox(x, y, x + side, y + side)
    return grow_box(spot, width=record.width, height=record.height, min_px=side)


def _beside(
    target: PixelBox, side: float, record: Record, rng: np.random.Generator
) -> tuple[PixelBox, ...]:
    """A square of ``side`` pixels that holds nothing of ``target``; none if none is found."""
    for _ in range(TRIES):
        x = rng.uniform(0, record.width - side)
        y = rng.uniform(0, record.height - side)
        spot = PixelBox(x, y, x + side, y + side)
        box = grow_box(spot, width=record.width, height=record.height, min_px=side)
        apart_x = box.x1 <= target.x0 or box.x0 >= target.x1
        if apart_x or box.y1 <= target.y0 or box.y0 >= target.y1:
            return (box,)
    return ()


def _target(record: Record) -> PixelBox | None:
    if record.masks:
        return box_of_mask(decode_mask(union_of(record.masks)))
    return record.boxes[0] if record.boxes else None
