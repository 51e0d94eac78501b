"""Recipes of natural and farmed places."""

import numpy as np

from geomag.sample.draw.layout import Place, Style
from geomag.sample.draw.outlines import blob, ellipse, rectangle
from geomag.sample.draw.palette import Rgb

_CROPS: tuple[Rgb, ...] = ((196, 178, 92), (112, 158, 72), (160, 122, 76), (84, 132, 62))


def _crop(p: Place) -> Rgb:
    return _CROPS[int(p.rng.integers(len(_CROPS)))]


def bare_land(p: Place) -> None:
    """Open soil with faint tracks."""
    p.strip("sand", 0.02, bend=0.03)
    p.pond("rock", (p.chance(0.2, 0.8), p.chance(0.2, 0.8)), (0.2, 0.16))


def beach(p: Place) -> None:
    """Sea, a white line of surf, sand."""
    turn = p.chance(-0.4, 0.4) + np.pi * p.count(0, 1)
    p.strip("snow", 0.07, angle=turn, at=0.5, bend=0.02)
    p.strip("sea", 0.9, angle=turn, at=0.03, bend=0.02)


def chaparral(p: Place) -> None:
    """Dark bushes dotted over pale soil."""
    for _ in range(p.count(90, 120)):
        x, y = p.rng.uniform(0, 1, 2)
        p.plain(blob(p.rng, 1, 1), (float(x), float(y)), p.chance(0.025, 0.055), (62, 76, 48))


def circular_farmland(p: Place) -> None:
    """Discs of crops under pivots."""
    n = p.count(1, 2)
    size = 0.92 / n
    for row in range(n):
        for column in range(n):
            x, y = ((column + 0.5) / n, (row + 0.5) / n)
            p.disc((x, y), size, _crop(p))
            p.plain(rectangle(1, 0.02), (x + size / 4, y), size / 2, (220, 214, 190))


def cloud(p: Place) -> None:
    """White banks over sea."""
    for _ in range(p.count(5, 9)):
        x, y = p.rng.uniform(0, 1, 2)
        p.pond("snow", (float(x), float(y)), (p.chance(0.25, 0.5), p.chance(0.15, 0.35)))


def desert(p: Place) -> None:
    """Dune crests in parallel."""
    turn = p.chance(-0.5, 0.5)
    for at in np.arange(0.05, 1.0, 0.13):
        p.strip("scrub", 0.018, angle=turn, at=float(at), bend=0.03)


def farmland(p: Place) -> None:
    """Rectangles of crops with furrows."""
    n = p.count(2, 3)
    for row in range(n):
        for column in range(n):
            x, y, rgb = ((column + 0.5) / n, (row + 0.5) / n, _crop(p))
            p.box((x, y), (0.98 / n, 0.98 / n), rgb)
            dark = (rgb[0] - 22, rgb[1] - 22, rgb[2] - 22)
            for k in range(9):
                shift = (k - 4) * 0.1 / n
                p.box((x, y + shift), (0.94 / n, 0.012 / n), dark)


def forest(p: Place) -> None:
    """Crowns wall to wall."""
    for _ in range(p.count(60, 90)):
        x, y = p.rng.uniform(0, 1, 2)
        green = int(p.rng.integers(64, 112))
        p.plain(
            blob(p.rng, 1, 1),
            (float(x), float(y)),
            p.chance(0.05, 0.1),
            (green // 2, green, green // 2),
        )


def island(p: Place) -> None:
    """Land with a sandy rim, alone in the sea."""
    shape = blob(p.rng, p.chance(0.5, 0.7), p.chance(0.4, 0.6))
    p.spread("sand", shape * 1.16 + 0.5)
    p.spread("forest", shape + 0.5)


def lake(p: Place) -> None:
    """A still water amid green banks."""
    p.pond("sand", (0.5, 0.5), (0.72, 0.62))
    p.pond("water", (0.5, 0.5), (0.72, 0.62))
    p.scatter("tree", (8, 14), (0.05, 0.08))


def pond(p: Place) -> None:
    """A small water with buildings and paths near it."""
    p.strip("concrete", 0.04, angle=0.2, at=0.8)
    p.pond("water", (0.45, 0.45), (0.36, 0.3))
    p.grid("building", (4, 1), 0.13, Style(colours=("red", "grey")), box=(0.02, 0.86, 0.98, 0.98))


def meadow(p: Place) -> None:
    """Nothing but pale grass."""
    p.pond("grass", (p.chance(0.2, 0.8), p.chance(0.2, 0.8)), (0.3, 0.2))


def mountain(p: Place) -> None:
    """Ridges lit on one side."""
    for _ in range(p.count(5, 7)):
        x, y = p.rng.uniform(0, 1, 2)
        reach, fall = (p.chance(0.2, 0.4), p.chance(0.1, 0.2))
        ridge = np.array([(x - reach, y + fall), (x, y - fall), (x + reach, y + fall)])
        p.spread("scrub", ridge[[0, 1, 1]] + np.array([(0, 0), (0, 0), (0, 2 * fall)]))
        p.spread("forest", ridge[[1, 1, 2]] + np.array([(0, 0), (0, 2 * fall), (0, 0)]))


def park(p: Place) -> None:
    """Curved paths, a pond, trees."""
    p.strip("concrete", 0.03, bend=0.08)
    p.strip("concrete", 0.03, bend=0.08)
    p.pond("water", (p.chance(0.3, 0.7), p.chance(0.3, 0.7)), (0.34, 0.22))
    p.scatter("tree", (22, 30), (0.05, 0.09))


def river(p: Place) -> None:
    """A winding water between banks."""
    p.strip("water", p.chance(0.16, 0.24), bend=0.08)
    p.scatter("tree", (6, 12), (0.05, 0.08))


def ocean(p: Place) -> None:
    """Open water."""
    turn = p.chance(0, np.pi)
    for _ in range(p.count(5, 9)):
        p.strip("water", 0.008, angle=turn, at=p.chance(0, 1), bend=0.015)


def sea_ice(p: Place) -> None:
    """Floes broken by leads of dark water."""
    for _ in range(p.count(5, 8)):
        p.strip("sea", p.chance(0.015, 0.05), at=p.chance(0, 1), bend=p.chance(0.02, 0.06))


def snowberg(p: Place) -> None:
    """Snow on rock faces."""
    for _ in range(p.count(6, 9)):
        x, y = p.rng.uniform(0, 1, 2)
        p.pond("rock", (float(x), float(y)), (p.chance(0.15, 0.4), p.chance(0.1, 0.2)))


def terrace(p: Place) -> None:
    """Contour lines of paddies, one inside the other."""
    x, y = p.rng.uniform(0.3, 0.7, 2)
    for k in range(9, 0, -1):
        rgb = ((124, 152, 84), (196, 196, 150), (94, 128, 70))[k % 3]
        p.plain(ellipse(1, 0.7), (float(x), float(y)), k * 0.17, rgb, angle=0.5)


def wetland(p: Place) -> None:
    """Dark pools and channels in reeds."""
    for _ in range(p.count(9, 14)):
        x, y = p.rng.uniform(0, 1, 2)
        p.pond("water", (float(x), float(y)), (p.chance(0.08, 0.25), p.chance(0.06, 0.16)))
    p.strip("water", 0.03, bend=0.12)
