"""When a word fits an object: the single meaning that expressions, questions and captions share.

Place words are read generously when others must be ruled out ("left" fits the whole left
column) and strictly when the target is named (its own cell, away from cell borders).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from geomag.data.wording import BORDER, article, plural, singular
from geomag.sample.draw.categories import CATEGORIES
from geomag.sample.draw.scene import Scene, SceneObject

NEAR, FAR = 0.07, 0.16
"""Gap between boxes, as a share of the width: ``next to`` up to NEAR, surely not from FAR."""

NUMBERS = ("no", "one", "two", "three", "four")
_COLUMNS = {"left": 0, "right": 2}
_ROWS = {"top": 0, "bottom": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What an expression says of its object; an empty word says nothing."""

    category: str
    colour: str = ""
    size: str = ""
    place: str = ""
    beside: str = ""
    """Class of the one other object it is next to."""

    @property
    def count(self) -> int:
        """How many attributes beyond the class are named."""
        return sum(bool(w) for w in (self.colour, self.size, self.place, self.beside))


def cells(item: SceneObject, scene: Scene) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Columns and rows (0 to 2) in which a reader might see the object's centre."""
    height, width = scene.image.shape[:2]
    x, y = (item.box.x0 + item.box.x1) / 2 / width, (item.box.y0 + item.box.y1) / 2 / height
    return _thirds(x), _thirds(y)


def _thirds(at: float) -> tuple[int, ...]:
    return tuple(sorted({min(2, max(0, int((at + d) * 3))) for d in (-BORDER, BORDER)}))


def has_clear_place(item: SceneObject, scene: Scene) -> bool:
    """Whether the object's cell is beyond doubt."""
    columns, rows = cells(item, scene)
    return len(columns) == len(rows) == 1


def fits_place(place: str, item: SceneObject, scene: Scene) -> bool:
    """Whether a reader might accept the place word for the object."""
    columns, rows = cells(item, scene)
    if place in _COLUMNS:
        return _COLUMNS[place] in columns
    if place in _ROWS:
        return _ROWS[place] in rows
    if place == "center":
        return 1 in columns and 1 in rows
    vertical, side = place.split()
    return _COLUMNS[side] in columns and (0 if vertical == "upper" else 2) in rows


def gap(first: SceneObject, second: SceneObject, scene: Scene) -> float:
    """Distance between two boxes as a share of the picture's width; 0 if they touch.

    Roads span the picture, so distance to one is measured to its pixels.
    """
    if CATEGORIES[second.category].crosses:
        return mask_gap(first, second)
    if CATEGORIES[first.category].crosses:
        return mask_gap(second, first)
    a, b = first.box, second.box
    dx = max(a.x0 - b.x1, b.x0 - a.x1, 0)
    dy = max(a.y0 - b.y1, b.y0 - a.y1, 0)
    width = int(scene.image.shape[1])
    return float(np.hypot(dx, dy)) / width


def mask_gap(first: SceneObject, second: SceneObject) -> float:
    """Distance between the visible pixels of two objects, as a share of the width."""
    away = cv2.distanceTransform((~second.mask).astype(np.uint8), cv2.DIST_L2, 3)
    width = int(first.mask.shape[1])
    return float(away[first.mask].min()) / width


def landmarks(scene: Scene) -> list[int]:
    """Objects that are alone of their class, so that others can be told apart by them."""
    counts = Counter(o.category for o in scene.objects)
    return [k for k, o in enumerate(scene.objects) if counts[o.category] == 1]


def fits(traits: Traits, index: int, scene: Scene) -> bool:
    """Whether a reader might take object ``index`` for the one described."""
    item = scene.objects[index]
    if item.category != traits.category:
        return False
    if traits.colour and item.colour != traits.colour:
        return False
    if traits.size and item.size != traits.size:
        return False
    if traits.place and not fits_place(traits.place, item, scene):
        return False
    if traits.beside:
        marks = [o for o in scene.objects if o.category == traits.beside]
        return any(m is not item and gap(item, m, scene) < FAR for m in marks)
    return True


def matches(traits: Traits, scene: Scene) -> tuple[int, ...]:
    """All objects that the description might mean."""
    return tuple(k for k in range(len(scene.objects)) if fits(traits, k, scene))


def noun(traits: Traits) -> str:
    """Size, colour and class: "small red ship"."""
    return " ".join(w for w in (traits.size, traits.colour, singular(traits.category)) if w)


def counted(count: int, name: str) -> str:
    """Number and class, as in "two ships" or "a ship"; five and more are "many"."""
    if count == 1:
        return article(singular(name))
    return f"{NUMBERS[count] if count < len(NUMBERS) else 'many'} {plural(name)}"


def present(scene: Scene) -> Sequence[str]:
    """Classes in the picture, in order of first appearance."""
    return tuple(dict.fromkeys(o.category for o in scene.objects))
