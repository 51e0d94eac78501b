"""Questions whose answers follow from the boxes alone, in RSVQA's types and wording."""

from collections.abc import Iterator
from itertools import combinations

from geomag.data.intake.own.boxes import LabelledPicture
from geomag.data.intake.own.expressions import PLACES, possible_cells
from geomag.data.wording import Question, article, plural


def picture_questions(picture: LabelledPicture) -> list[Question]:
    """Presence, comparison and counts of a picture; what the boxes leave open is not asked.

    Only labels that are annotated in this picture are asked for: that a table names no buildings
    does not mean that there are none.
    """
    counts: dict[str, int] = {}
    for item in picture.objects:
        counts[item.label] = counts.get(item.label, 0) + 1
    found = [
        Question("count", f"What is the number of {plural(label)}?", str(count))
        for label, count in counts.items()
    ]
    for first, second in combinations(counts, 2):
        more = counts[first] - counts[second]
        found += _compared(f"{plural(first)} than {plural(second)}", more > 0)
        found += _compared(f"{plural(second)} than {plural(first)}", more < 0)
    for label in counts:
        found += _presence(picture, label)
        found += _halves(picture, label)
    return found


def _presence(picture: LabelledPicture, label: str) -> Iterator[Question]:
    """Places that surely hold one, and places that none is even near."""
    boxes = [item.box for item in picture.objects if item.label == label]
    cells = [possible_cells(box, picture) for box in boxes]
    for place, covered in PLACES.items():
        is_sure = any(possible <= covered for possible in cells)
        if is_sure or not any(possible & covered for possible in cells):
            text = f"Is there {article(label)} {place}?"
            yield Question("presence", text, "yes" if is_sure else "no")


def _halves(picture: LabelledPicture, label: str) -> Iterator[Question]:
    """Left against right and top against bottom, where boxes on the line decide nothing."""
    boxes = [item.box for item in picture.objects if item.label == label]
    spans = {
        ("left", "right"): ([(b.x0, b.x1) for b in boxes], picture.width / 2),
        ("top", "bottom"): ([(b.y0, b.y1) for b in boxes], picture.height / 2),
    }
    for (first, second), (ends, middle) in spans.items():
        before = sum(end <= middle for _, end in ends)
        after = sum(start >= middle for start, _ in ends)
        if abs(before - after) <= len(ends) - before - after:
            continue
        more = first if before > after else second
        for here, there in ((first, second), (second, first)):
            what = f"{plural(label)} in the {here} half than in the {there} half"
            yield from _compared(what, here == more)


def _compared(what: str, is_so: bool) -> Iterator[Question]:
    yield Question("comp", f"Are there more {what}?", "yes" if is_so else "no")
