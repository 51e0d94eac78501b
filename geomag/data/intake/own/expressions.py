"""Referring expressions that fit exactly one box of a picture, by construction and with a margin.

Boxes say nothing of colour or kind beyond the label, so an object is told by number, size, place.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from geomag.data.intake.own.boxes import LabelledBox, LabelledPicture
from geomag.data.wording import BORDER, place_word
from geomag.geometry import PixelBox

SIZE_MARGIN = 1.1
"""The largest has at least this many times the area of the next."""
EDGE_MARGIN = 0.01
"""The leftmost stands at least this share of the picture's side before the next."""

PLACES: Mapping[str, frozenset[str]] = {
    "in the upper left": frozenset({"upper left"}),
    "in the upper right": frozenset({"upper right"}),
    "in the lower left": frozenset({"lower left"}),
    "in the lower right": frozenset({"lower right"}),
    "in the center": frozenset({"center"}),
    "on the left": frozenset({"upper left", "left", "lower left"}),
    "on the right": frozenset({"upper right", "right", "lower right"}),
    "at the top": frozenset({"upper left", "top", "upper right"}),
    "at the bottom": frozenset({"lower left", "bottom", "lower right"}),
}
"""Words for a place, and the ninths of the picture a reader may take them for."""


@dataclass(frozen=True, slots=True)
class Told:
    """An expression and the object it means."""

    text: str
    index: int
    """Index into the picture's objects."""


def expressions(picture: LabelledPicture) -> list[Told]:
    """All expressions of a picture, label by label: the only one, the largest, the outermost."""
    found: list[Told] = []
    for label in dict.fromkeys(item.label for item in picture.objects):
        members = [k for k, item in enumerate(picture.objects) if item.label == label]
        if len(members) == 1:
            found.append(Told(f"the {label}", members[0]))
            continue
        found += _superlatives(picture, label, members)
        found += _placed(picture, label, members)
    return found


def possible_cells(box: PixelBox, picture: LabelledPicture) -> frozenset[str]:
    """Ninths of the picture in which a reader might see the centre of a box."""
    shifts = product((-BORDER * picture.width, BORDER * picture.width),
                     (-BORDER * picture.height, BORDER * picture.height))  # fmt: skip
    return frozenset(
        place_word(box.shifted(dx, dy), width=picture.width, height=picture.height)
        for dx, dy in shifts
    )


def _placed(picture: LabelledPicture, label: str, members: Sequence[int]) -> Iterator[Told]:
    cells = {k: possible_cells(picture.objects[k].box, picture) for k in members}
    for place, covered in PLACES.items():
        rivals = [k for k in members if cells[k] & covered]
        target = _largest(picture.objects, rivals)
        if target is not None and cells[target] <= covered:
            word = "the" if len(rivals) == 1 else "the largest"
            yield Told(f"{word} {label} {place}", target)


def _superlatives(picture: LabelledPicture, label: str, members: Sequence[int]) -> Iterator[Told]:
    target = _largest(picture.objects, members)
    if target is not None:
        yield Told(f"the largest {label}", target)
    boxes = {k: picture.objects[k].box for k in members}
    across = {k: (b.x0 + b.x1) / 2 / picture.width for k, b in boxes.items()}
    down = {k: (b.y0 + b.y1) / 2 / picture.height for k, b in boxes.items()}
    for word, at in (("leftmost", across), ("topmost", down)):
        first, second = sorted(at, key=lambda k: at[k])[:2]
        if at[second] - at[first] >= EDGE_MARGIN:
            yield Told(f"the {word} {label}", first)
    for word, at in (("rightmost", across), ("bottommost", down)):
        second, first = sorted(at, key=lambda k: at[k])[-2:]
        if at[first] - at[second] >= EDGE_MARGIN:
            yield Told(f"the {word} {label}", first)


def _largest(objects: Sequence[LabelledBox], members: Sequence[int]) -> int | None:
    """The member that is larger than every other by the margin, if there is one."""
    areas = {k: objects[k].box.width * objects[k].box.height for k in members}
    order = sorted(members, key=lambda k: -areas[k])
    if len(order) > 1 and areas[order[0]] < SIZE_MARGIN * areas[order[1]]:
        return None
    return order[0] if order else None
