"""Scenes of a few objects with everything known about them: the picture behind the sample data."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geomag.data.wording import place_word
from geomag.geometry import BoolMask, PixelBox
from geomag.sample.draw.canvas import Canvas, Footprint, Polygon, polygons_of, tint
from geomag.sample.draw.categories import CATEGORIES, DIOR, LAND_USE
from geomag.sample.draw.outlines import blob
from geomag.sample.draw.palette import HIDDEN_ON, shade
from geomag.sample.draw.textures import add_grain, ground

_GROUNDS = ("grass", "bare land", "water", "asphalt", "sand")
_LAND_GROUNDS = ("grass", "bare land", "sand")
_CLEAR_RATIO = 1.8
"""Areas of "large" and "small" objects of one class differ at least by this factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneObject:
    """One object of a scene, as it shows."""

    category: str
    """DIOR display name (protocols/roc#classes) or a land-use class."""
    colour: str
    """Colour word, or empty."""
    size: str
    """``small``, ``large``, or empty when neither is clear."""
    place: str
    """Cell of a 3 x 3 grid that holds the centre of the box."""
    mask: BoolMask
    """``[H, W]``, the visible pixels."""
    box: PixelBox
    """Tight box of the mask."""
    polygons: tuple[Polygon, ...]
    """Integer ``(x, y)`` corners; `cv2.fillPoly` of them is ``mask``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A picture and what is in it."""

    image: NDArray[np.uint8]
    """``[H, W, 3]`` RGB."""
    objects: tuple[SceneObject, ...]
    ground: str
    kind: str
    """``objects``, or the scene class that was drawn."""
    pool: tuple[str, ...] = ()
    """Categories that this scene could have held: what a question may ask about."""


def draw_objects(
    rng: np.random.Generator,
    *,
    width: int = 448,
    height: int = 448,
    n_objects: tuple[int, int] = (3, 7),
    categories: Sequence[str] | None = None,
) -> Scene:
    """Draw a ground and objects on it; in about half of the scenes some share a class.

    Args:
        rng: The only source of chance.
        width: Pixels; object sizes scale with the shorter side.
        height: Pixels.
        n_objects: Fewest and most objects aimed at; a crowded scene may hold fewer.
        categories: Classes to draw from; the 20 of DIOR by default.
    """
    pool = tuple(categories) if categories is not None else tuple(DIOR)
    grounds = _LAND_GROUNDS if set(pool) & set(LAND_USE) else _GROUNDS
    base = grounds[int(rng.integers(len(grounds)))]
    canvas = Canvas(ground(rng, base, width=width, height=height), base)
    _clutter(rng, canvas)
    for category in _cast(rng, pool, int(rng.integers(n_objects[0], n_objects[1] + 1))):
        _add_object(rng, canvas, category, water_pads="water" not in pool)
    return finish(rng, canvas, kind="objects", pool=pool)


def _clutter(rng: np.random.Generator, canvas: Canvas) -> None:
    """Patches of another tone that are no objects."""
    for _ in range(int(rng.integers(0, 4))):
        size = rng.uniform(0.1, 0.45, 2) * canvas.width
        centre = rng.uniform(0, 1, 2) * (canvas.width, canvas.height)
        shape = np.rint(blob(rng, size[0], size[1]) + centre).astype(np.int32)
        canvas.spread(rng, canvas.ground, [shape])


def _cast(rng: np.random.Generator, pool: Sequence[str], count: int) -> list[str]:
    """Choose the classes of ``count`` objects, largest first so that small ones lie on top."""
    names = list(pool)
    chosen: list[str] = []
    if "building" in names and rng.random() < 0.45:  # as many towns as countryside
        chosen = ["building"] * min(count, int(rng.integers(3, 6)))
    elif rng.random() < 0.6:
        repeated = names[int(rng.integers(len(names)))]
        chosen = [repeated] * min(count, int(rng.integers(2, 5)))
    chosen += [names[int(k)] for k in rng.integers(0, len(names), count - len(chosen))]
    order = {name: k for k, name in enumerate(LAND_USE)}
    return sorted(chosen, key=lambda name: (order.get(name, -1), -CATEGORIES[name].largest))


def _add_object(
    rng: np.random.Generator, canvas: Canvas, category: str, *, water_pads: bool
) -> None:
    """Try up to 16 positions for one object; give up when the scene is full."""
    model = CATEGORIES[category]
    scale = min(canvas.width, canvas.height) / 448
    length = scale * float(np.exp(rng.uniform(np.log(model.smallest), np.log(model.largest))))
    needs_pad = _pad_kind(model.draw(rng, model.rgb).pad, canvas.ground) if water_pads else ""
    usable = [c for c in model.colours if c not in HIDDEN_ON.get(needs_pad or canvas.ground, ())]
    colour = usable[int(rng.integers(len(usable)))] if usable else ""
    sprite = model.draw(rng, shade(rng, colour) if colour else tint(rng, model.rgb))
    for _ in range(16):
        if model.crosses:
            turn, reach = float(rng.uniform(0, np.pi)), 0.25
            x, y = rng.uniform(reach, 1 - reach, 2) * (canvas.width, canvas.height)
        else:
            turn, reach = float(rng.uniform(0, 2 * np.pi)), length * 0.5
            x = rng.uniform(
                min(reach, canvas.width / 2), max(canvas.width - reach, canvas.width / 2)
            )
            y = rng.uniform(
                min(reach, canvas.height / 2), max(canvas.height - reach, canvas.height / 2)
            )
        spot = canvas.footprint(sprite, x=float(x), y=float(y), length=length, angle=turn)
        if spot is None or not _admits(canvas, spot, category):
            continue
        if needs_pad:
            shape = blob(rng, 1.6 * length, 1.6 * length) + np.array([x, y])
            canvas.spread(rng, needs_pad, [np.rint(shape).astype(np.int32)])
        canvas.stamp(spot, category=category, colour=colour)
        return


def _pad_kind(pad: str, base: str) -> str:
    """The ground to lay under an object that cannot stand on ``base``, or empty."""
    if pad == "water" and base != "water":
        return "water"
    return "bare land" if pad == "land" and base == "water" else ""


def _admits(canvas: Canvas, spot: Footprint, category: str) -> bool:
    """Whether a new object hides too little of others to matter, and none of its own class.

    At most 15 % of a neighbour in all: every object stays well above 70 % visible.
    """
    for index, pixels in canvas.covered(spot).items():
        item = canvas.items[index]
        if item.category == category:
            return False
        carried = CATEGORIES[item.category].carries
        if not carried and pixels > 0.05 * np.count_nonzero(spot.mask):
            return False
        if (
            np.count_nonzero(canvas.visible(index)) - pixels
            < (0.75 if carried else 0.85) * item.area
        ):
            return False
    return True


def finish(
    rng: np.random.Generator, canvas: Canvas, *, kind: str, pool: tuple[str, ...] = ()
) -> Scene:
    """Read the objects off a canvas, add sensor noise and freeze the scene."""
    height, width = canvas.labels.shape
    parts: list[tuple[str, str, BoolMask, PixelBox, tuple[Polygon, ...]]] = []
    for index, item in enumerate(canvas.items):
        x0, y0, cut = _visible_cut(canvas, index)
        mask = np.zeros((height, width), bool)
        mask[y0 : y0 + cut.shape[0], x0 : x0 + cut.shape[1]] = cut
        box = PixelBox(x0, y0, x0 + cut.shape[1], y0 + cut.shape[0])
        parts.append((item.category, item.colour, mask, box, polygons_of(cut, x0=x0, y0=y0)))
    areas = [(category, int(np.count_nonzero(mask))) for category, _, mask, _, _ in parts]
    sizes = size_words(areas, pixels=height * width)
    objects = tuple(
        SceneObject(
            category=category,
            colour=colour,
            size=size,
            place=place_word(box, width=width, height=height),
            mask=mask,
            box=box,
            polygons=polygons,
        )
        for (category, colour, mask, box, polygons), size in zip(parts, sizes, strict=True)
    )
    return Scene(
        image=add_grain(rng, canvas.image),
        objects=objects,
        ground=canvas.ground,
        kind=kind,
        pool=pool,
    )


def _visible_cut(canvas: Canvas, index: int) -> tuple[int, int, BoolMask]:
    """Left, top and the tight visible mask of one item."""
    item, shown = canvas.items[index], canvas.visible(index)
    rows, cols = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    top, left = int(rows[0]), int(cols[0])
    cut = shown[top : int(rows[-1]) + 1, left : int(cols[-1]) + 1]
    return item.columns.start + left, item.rows.start + top, cut


def size_words(areas: Sequence[tuple[str, int]], *, pixels: int) -> list[str]:
    """``small`` or ``large`` for each ``(category, area)``, where it is clear.

    Within a class the areas are split at their widest gap if that is a factor of 1.8;
    without such a gap all must lie under 0.3 % or over 4 % of the picture.

    >>> size_words([("ship", 100), ("ship", 300), ("dam", 9000)], pixels=200_000)
    ['small', 'large', 'large']
    """
    words = []
    for category, area in areas:
        peers = sorted(a for c, a in areas if c == category)
        gaps = [(b / a, a) for a, b in pairwise(peers)]
        ratio, below = max(gaps, default=(0.0, 0))
        if ratio >= _CLEAR_RATIO:
            words.append("small" if area <= below else "large")
        elif peers[-1] < 0.003 * pixels:
            words.append("small")
        else:
            words.append("large" if peers[0] > 0.04 * pixels else "")
    return words
