"""Words that expressions and questions share: plurals, articles, places in the picture."""

from dataclasses import dataclass

from geomag.geometry import PixelBox

BORDER = 0.04
"""Centres nearer than this share of a side to a cell border have no clear place."""


def plural(name: str) -> str:
    """Plural as RSVQA's program forms it, right or wrong ("pitchs").

    >>> plural("storage tank"), plural("water"), plural("bus")
    ('storage tanks', 'water areas', 'buss')
    """
    return f"{singular(name)}s"


def singular(name: str) -> str:
    """The class as a thing one can count ("water area")."""
    return f"{name} area" if name in ("water", "low vegetation") else name


def article(phrase: str) -> str:
    """The phrase behind "a" or "an"."""
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a scene and its answer."""

    kind: str
    """presence, comp, count, area or rural_urban."""
    text: str
    answer: str


_PLACES = (
    ("upper left", "top", "upper right"),
    ("left", "center", "right"),
    ("lower left", "bottom", "lower right"),
)


def place_word(box: PixelBox, *, width: int, height: int) -> str:
    """Cell of the 3 x 3 grid that holds the centre of a box."""
    column = min(2, int((box.x0 + box.x1) / 2 * 3 / width))
    row = min(2, int((box.y0 + box.y1) / 2 * 3 / height))
    return _PLACES[row][column]
