"""AID and NWPU-RESISC45 as they are downloaded (protocols/scenes#files)."""

from pathlib import Path

from geomag.data.benchmarks import Split
from geomag.data.benchmarks.aid.spec import AID_CLASSES
from geomag.data.benchmarks.resisc45.spec import RESISC45_CLASSES
from geomag.data.layouts.encode import Pixels, smoothed, write_jpeg, write_lines
from geomag.sample.draw.places import draw_place, place_of
from geomag.sample.layouts.plan import PLANS, interleaved
from geomag.seeds import generator

_RESISC_SHARES = {Split.TRAIN: 3, Split.VAL: 1, Split.TEST: 1}
"""18,900 / 6,300 / 6,300; the totals of a class differ, as in the published lists."""


def write_aid(root: Path, *, seed: int, scale: float) -> dict[Split, int]:
    """Write ``AID/<Class>/<class>_<n>.jpg``, n without padding; there is no split but test."""
    plan = PLANS["aid"]
    count = len(plan.per_class(scale))
    for folder in AID_CLASSES:
        for k in range(count):
            picture = _draw(seed, "aid", folder, k)
            write_jpeg(root / f"AID/{folder}/{folder.lower()}_{k + 1}.jpg", picture)
    return {Split.TEST: count * len(AID_CLASSES)}


def write_resisc45(root: Path, *, seed: int, scale: float) -> dict[Split, int]:
    """Write ``NWPU-RESISC45/<class>/<class>_001.jpg`` and the three lists of base names.

    Every image is a zero-shot test; the lists change no record's split.
    """
    count = len(PLANS["resisc45"].per_class(scale))
    parts: dict[Split, list[str]] = {split: [] for split in _RESISC_SHARES}
    order = iter(interleaved(_RESISC_SHARES, count * len(RESISC45_CLASSES)))
    for folder in RESISC45_CLASSES:
        for k in range(count):
            name = f"{folder}_{k + 1:03d}.jpg"
            write_jpeg(root / f"NWPU-RESISC45/{folder}/{name}", _draw(seed, "resisc45", folder, k))
            parts[next(order)].append(name)
    for split, names in parts.items():
        write_lines(root / f"resisc45-{split}.txt", names)
    return {Split.TEST: count * len(RESISC45_CLASSES)}


def _draw(seed: int, benchmark: str, folder: str, order: int) -> Pixels:
    side = PLANS[benchmark].side_px
    rng = generator(seed, benchmark, folder, order)
    return smoothed(draw_place(rng, place_of(folder), width=side, height=side).image)
