"""Recipes of built places: towns, industry, sport."""

import numpy as np

from geomag.sample.draw.layout import Place, Style
from geomag.sample.draw.outlines import ellipse, rectangle

_RIGHT = np.pi / 2
_ROOFS = ("red", "orange", "grey", "white")


def baseball_field(p: Place) -> None:
    """A diamond or two."""
    p.thing("baseball field", (p.chance(0.4, 0.6), p.chance(0.4, 0.6)), p.chance(0.5, 0.7))
    p.scatter("tree", (3, 8), (0.05, 0.08))


def basketball_court(p: Place) -> None:
    """Courts side by side with trees around."""
    n = p.count(1, 2)
    p.spread("concrete", rectangle(0.8, 0.8, x=0.5, y=0.5))
    p.grid(
        "basketball court",
        (1, n),
        0.55 / n + 0.12,
        Style(colours=("orange", "blue")),
        box=(0.2, 0.15, 0.8, 0.85),
    )
    p.scatter("tree", (4, 9), (0.06, 0.1))


def center(p: Place) -> None:
    """One round hall among paths and lawns."""
    p.spread("concrete", ellipse(0.84, 0.84, x=0.5, y=0.5))
    for k in range(8):
        p.box((0.5, 0.5), (0.9, 0.03), (196, 192, 182), angle=k * np.pi / 8)
    for size, rgb in ((0.52, (226, 226, 230)), (0.4, (120, 130, 150)), (0.24, (236, 236, 240))):
        p.disc((0.5, 0.5), size, rgb)
    p.scatter("tree", (5, 9), (0.05, 0.07))


def church(p: Place) -> None:
    """A cross-shaped roof with a tower, in a churchyard."""
    turn = p.chance(0, np.pi)
    p.spread("concrete", rectangle(0.7, 0.7, x=0.5, y=0.5))
    p.box((0.5, 0.5), (0.5, 0.17), (150, 72, 58), shadow=0.08, angle=turn)
    p.box((0.5, 0.5), (0.17, 0.36), (150, 72, 58), shadow=0.08, angle=turn)
    p.box((0.5, 0.5), (0.5, 0.02), (206, 130, 110), angle=turn)
    p.disc((0.5 + 0.2 * np.cos(turn), 0.5 + 0.2 * np.sin(turn)), 0.12, (222, 210, 190))
    p.scatter("tree", (4, 8), (0.06, 0.09))


def commercial(p: Place) -> None:
    """Tall blocks of many colours along a street grid."""
    for at in (0.33, 0.66):
        p.road(angle=0, width=0.05, at=(0.5, at))
        p.road(angle=_RIGHT, width=0.05, at=(at, 0.5))
    p.grid(
        "building",
        (6, 6),
        0.13,
        Style(fill=0.9, colours=("blue", "white", "grey")),
        box=(0.01, 0.01, 0.99, 0.99),
    )


def dense_residential(p: Place) -> None:
    """Small roofs wall to wall."""
    for at in (0.25, 0.5, 0.75):
        p.road(angle=0, width=0.035, at=(0.5, at))
    p.grid("building", (10, 8), 0.085, Style(fill=0.94, colours=_ROOFS), box=(0, 0, 1, 1))


def medium_residential(p: Place) -> None:
    """Houses with gardens along two streets."""
    p.road(angle=0, width=0.06, at=(0.5, 0.5))
    p.grid("building", (5, 4), 0.11, Style(fill=0.9, colours=_ROOFS), box=(0, 0, 1, 1))
    p.scatter("tree", (8, 14), (0.04, 0.07))


def sparse_residential(p: Place) -> None:
    """Very few houses in the green."""
    p.road(width=0.04)
    p.scatter("building", (2, 3), (0.12, 0.17), Style(colours=_ROOFS))
    p.scatter("tree", (22, 32), (0.05, 0.09))


def mobile_home_park(p: Place) -> None:
    """Slanted white boxes in rows along narrow lanes."""
    for at in (0.2, 0.5, 0.8):
        p.road(angle=0, width=0.03, rgb=(140, 138, 134), at=(0.5, at))
    p.grid("trailer", (9, 6), 0.13, Style(angle=1.1, colours=("white",)), box=(0, 0.02, 1, 0.98))


def buildings(p: Place) -> None:
    """A few very large roofs with paved yards."""
    p.grid("building", (2, 2), 0.34, Style(colours=("white", "grey")), box=(0.03, 0.03, 0.97, 0.97))
    p.scatter("car", (6, 12), (0.04, 0.05))


def industrial(p: Place) -> None:
    """Long halls in blue and grey, a few tanks."""
    p.road(angle=_RIGHT, width=0.05, at=(0.5, 0.5))
    for row in range(4):
        for x in (0.24, 0.76):
            p.box(
                (x, 0.14 + row * 0.24),
                (0.4, 0.15),
                ((70, 110, 180), (176, 180, 186))[int(p.rng.integers(2))],
                shadow=0.03,
            )
    p.scatter("storage tank", (1, 3), (0.07, 0.1), Style(colours=("white",)))


def school(p: Place) -> None:
    """Blocks in parallel beside a running track."""
    p.thing("ground track field", (0.7, 0.7), 0.46, Style(angle=p.chance(-0.2, 0.2)))
    p.grid("building", (1, 3), 0.4, Style(colours=("red", "orange")), box=(0.02, 0.02, 0.5, 0.6))
    p.grid("tree", (8, 1), 0.06, box=(0.5, 0.05, 1, 0.2))


def resort(p: Place) -> None:
    """Pools of odd shape among roofs and palms at a beach."""
    p.strip("sand", 0.3, angle=0, at=0.95)
    for x, y in ((0.35, 0.5), (0.62, 0.42)):
        p.plain(ellipse(1, 0.6), (x, y), p.chance(0.16, 0.24), (70, 200, 220), angle=p.chance(0, 3))
    p.grid("building", (4, 1), 0.17, Style(colours=("red", "orange")), box=(0.05, 0.05, 0.95, 0.3))
    p.scatter("tree", (12, 18), (0.04, 0.06))


def square(p: Place) -> None:
    """An open paved square with a pattern and a fountain."""
    p.spread("concrete", rectangle(0.72, 0.72, x=0.5, y=0.5))
    for k in range(5):
        at = 0.22 + k * 0.14
        p.box((0.5, at), (0.7, 0.014), (206, 150, 120))
        p.box((at, 0.5), (0.014, 0.7), (206, 150, 120))
    p.disc((0.5, 0.5), 0.2, (216, 208, 196))
    p.disc((0.5, 0.5), 0.13, (80, 160, 200))
    p.grid("building", (5, 1), 0.14, Style(colours=("grey", "red")), box=(0, 0, 1, 0.13))
    p.grid("building", (5, 1), 0.14, Style(colours=("grey", "red")), box=(0, 0.87, 1, 1))


def palace(p: Place) -> None:
    """A courtyard building with golden roofs and a garden axis."""
    p.box((0.5, 0.42), (0.6, 0.5), (214, 160, 60), shadow=0.05)
    p.box((0.5, 0.42), (0.42, 0.32), (210, 204, 192))
    p.box((0.5, 0.42), (0.2, 0.14), (190, 110, 50), shadow=0.05)
    p.box((0.5, 0.84), (0.1, 0.3), (210, 204, 192))
    p.grid("tree", (2, 3), 0.08, box=(0.2, 0.7, 0.8, 1.0))


def stadium(p: Place) -> None:
    """A great bowl with a car park."""
    p.spread("concrete", ellipse(0.96, 0.9, x=0.5, y=0.5))
    p.thing("stadium", (0.5, 0.5), p.chance(0.66, 0.8), Style(angle=p.chance(-0.4, 0.4)))


def storage_tank(p: Place) -> None:
    """White tanks in rows."""
    p.grid(
        "storage tank",
        (p.count(2, 4), p.count(2, 4)),
        0.17,
        Style(fill=0.85, colours=("white", "grey")),
    )


def tennis_court(p: Place) -> None:
    """One to four courts in rows."""
    columns, rows = p.count(1, 2), p.count(1, 2)
    courts = Style(colours=("green", "blue"))
    size = 0.8 / max(columns, rows) + 0.03
    p.grid("tennis court", (columns, rows), size, courts, box=(0.04, 0.04, 0.96, 0.96))
    p.scatter("tree", (5, 9), (0.06, 0.09))


def ground_track_field(p: Place) -> None:
    """A running track around a pitch."""
    p.thing(
        "ground track field", (0.5, 0.5), p.chance(0.74, 0.88), Style(angle=p.chance(-0.4, 0.4))
    )
    p.scatter("tree", (3, 7), (0.06, 0.08))


def golf_course(p: Place) -> None:
    """Pale fairways, bunkers and a pond among trees."""
    for x, y in ((0.3, 0.35), (0.68, 0.6)):
        p.plain(ellipse(1, 0.4), (x, y), 0.55, (150, 204, 104), angle=p.chance(0, 3))
    for _ in range(6):
        x, y = p.rng.uniform(0.15, 0.85, 2)
        p.plain(ellipse(1, 0.7), (float(x), float(y)), p.chance(0.06, 0.1), (240, 230, 196))
    p.pond("water", (p.chance(0.2, 0.8), 0.8), (0.2, 0.14))
    p.scatter("tree", (8, 12), (0.05, 0.08))


def thermal_power_station(p: Place) -> None:
    """Cooling towers with steam, a hall and a coal heap."""
    p.box((0.72, 0.5), (0.2, 0.6), (120, 140, 170), shadow=0.04)
    p.pond("rock", (0.5, 0.86), (0.4, 0.2))
    for y in (0.24, 0.6):
        for size, rgb in ((0.32, (200, 198, 192)), (0.22, (110, 110, 112))):
            p.disc((0.3, y), size, rgb)
        p.plain(ellipse(1, 0.8), (0.3 + p.chance(-0.03, 0.03), y), 0.16, (246, 246, 248))
    p.thing("chimney", (0.5, 0.2), 0.22, Style(colours=("red",)))
