"""Scenes of 4096 x 2160 pixels with objects of 12 to 40: what no encoder's input resolves.

Not one of the ten benchmarks and no part of ``data/``: `geomag experiment 4k` draws it on demand.
The folder holds JPEG pictures and ``records.jsonl`` of referring expressions, in the form that
``geomag predict rrsis_d --data --records`` and ``geomag score`` take.
"""

from pathlib import Path

import numpy as np

from geomag.data.benchmarks import Split, Task
from geomag.data.layouts.encode import smoothed, write_jpeg
from geomag.data.records import Record, write_records
from geomag.geometry import encode_mask
from geomag.sample.draw.canvas import Canvas, Footprint, tint
from geomag.sample.draw.categories import CATEGORIES
from geomag.sample.draw.language import Expression, refer
from geomag.sample.draw.outlines import blob
from geomag.sample.draw.palette import HIDDEN_ON, shade
from geomag.sample.draw.scene import Scene, finish
from geomag.sample.draw.textures import ground
from geomag.seeds import generator

WIDTH, HEIGHT = 4096, 2160
SIDES_PX = (12, 40)
"""Shortest and longest long side of an object's box, in pixels."""
RECORDS = "records.jsonl"
_GROUNDS = ("grass", "bare land", "asphalt", "sand")
_CLASSES = (
    *("ship", "vehicle", "airplane", "storage tank", "chimney", "windmill"),
    *("tennis court", "basketball court"),
)
"""Things that are told apart by outline and colour at that size."""
_OBJECTS = (12, 20)
_PATCHES = (6, 14)
_ROOM = 1.5
"""Least distance of two objects' centres, as a share of the longest side."""


def write_large(root: Path, *, seed: int, n_scenes: int) -> list[Record]:
    """Write ``n_scenes`` pictures and their records; a prefix of a longer set is the same."""
    records = []
    for number in range(n_scenes):
        scene, target = large_scene(generator(seed, "4k", number))
        name = f"{number:05d}.jpg"
        write_jpeg(root / name, smoothed(scene.image))
        thing = scene.objects[target.index]
        records.append(
            Record(
                benchmark="rrsis_d",
                id=str(number),
                split=Split.TEST,
                task=Task.REFERRING,
                image=name,
                width=WIDTH,
                height=HEIGHT,
                text=target.text,
                kind=thing.category,
                masks=(encode_mask(thing.mask),),
                boxes=(thing.box,),
            )
        )
    write_records(root / RECORDS, records)  # last: where it stands, the pictures are whole
    return records


def large_scene(rng: np.random.Generator) -> tuple[Scene, Expression]:
    """A large scene and an expression that fits exactly one of its objects."""
    while True:
        base = _GROUNDS[int(rng.integers(len(_GROUNDS)))]
        canvas = Canvas(ground(rng, base, width=WIDTH, height=HEIGHT), base)
        for _ in range(int(rng.integers(*_PATCHES))):
            _spread(rng, canvas, base, rng.uniform(0.03, 0.2) * WIDTH)
        wanted = int(rng.integers(*_OBJECTS))
        repeated = _CLASSES[int(rng.integers(len(_CLASSES)))]
        for number in range(wanted):  # a third are of one class, so that a class does not do
            drawn = _CLASSES[int(rng.integers(len(_CLASSES)))]
            _add(rng, canvas, repeated if number < wanted // 3 else drawn)
        scene = finish(rng, canvas, kind="objects", pool=_CLASSES)
        target = refer(scene, rng)
        if target is not None:
            return scene, target


def _spread(rng: np.random.Generator, canvas: Canvas, kind: str, size: float) -> None:
    centre = rng.uniform(0, 1, 2) * (WIDTH, HEIGHT)
    shape = blob(rng, size, size * float(rng.uniform(0.5, 1))) + centre
    canvas.spread(rng, kind, [np.rint(shape).astype(np.int32)])


def _add(rng: np.random.Generator, canvas: Canvas, category: str) -> None:
    """One object on free ground; a ship gets its water, others lie on what is there."""
    model = CATEGORIES[category]
    pad = "water" if model.draw(rng, model.rgb).pad == "water" else ""
    usable = [c for c in model.colours if c not in HIDDEN_ON.get(pad or canvas.ground, ())]
    colour = usable[int(rng.integers(len(usable)))] if usable else ""
    sprite = model.draw(rng, shade(rng, colour) if colour else tint(rng, model.rgb))
    while True:
        length = float(np.exp(rng.uniform(*np.log(SIDES_PX))))
        x, y = rng.uniform(0.02, 0.98, 2) * (WIDTH, HEIGHT)
        turn = float(rng.uniform(0, 2 * np.pi))
        spot = canvas.footprint(sprite, x=float(x), y=float(y), length=length, angle=turn)
        if spot is not None and _fits(canvas, spot):
            break
    if pad:
        water = blob(rng, 5 * length, 5 * length) + np.array([x, y])
        canvas.spread(rng, pad, [np.rint(water).astype(np.int32)])
    canvas.stamp(spot, category=category, colour=colour)


def _fits(canvas: Canvas, spot: Footprint) -> bool:
    """Whether the object has the right size and stands clear of the others."""
    if not SIDES_PX[0] <= max(spot.mask.shape) <= SIDES_PX[1]:
        return False
    reach = round(_ROOM * SIDES_PX[1])
    rows = slice(max(spot.y0 - reach, 0), spot.rows.stop + reach)
    columns = slice(max(spot.x0 - reach, 0), spot.columns.stop + reach)
    return not canvas.labels[rows, columns].any()
