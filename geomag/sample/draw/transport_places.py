"""Recipes of places one travels through: airports, roads, rails, harbours."""

import numpy as np

from geomag.sample.draw.layout import Place, Style
from geomag.sample.draw.outlines import polyline, rectangle
from geomag.sample.draw.palette import Rgb

_RIGHT = np.pi / 2
_ROOFS = ("red", "orange", "grey", "white")
_TRACK: Rgb = (62, 54, 50)


def airplane(p: Place) -> None:
    """A few parked aircraft seen close up."""
    white = Style(colours=("white",))
    p.box((0.5, p.chance(0.1, 0.9)), (2, 0.015), (224, 196, 70))
    for x in (0.27, 0.73)[: p.count(1, 2)]:
        p.thing("airplane", (x, p.chance(0.3, 0.7)), p.chance(0.36, 0.46), white)


def airport(p: Place) -> None:
    """Runways beside a terminal with aircraft at its gates."""
    p.spread("concrete", rectangle(0.9, 0.3, x=0.5, y=0.3))
    turn = p.chance(-0.05, 0.05)
    p.road(angle=turn, at=(0.5, 0.78), width=0.1, rgb=(78, 78, 84), bend=0.0)
    p.road(angle=turn, at=(0.5, 0.58), width=0.05, rgb=(78, 78, 84), bend=0.0)
    p.box((0.5, 0.12), (0.8, 0.1), (214, 212, 206), shadow=0.03)
    gates = Style(angle=-_RIGHT, colours=("white",), fill=0.8)
    p.grid("airplane", (5, 1), 0.13, gates, box=(0.05, 0.2, 0.95, 0.36))


def runway(p: Place) -> None:
    """One straight runway with threshold bars on grass."""
    turn = p.chance(-0.6, 0.6)
    p.road(angle=turn, width=0.26, rgb=(76, 76, 82), bend=0.0)
    for k in range(-4, 5):
        along, across = p.chance(0.19, 0.2), k * 0.024
        x = along * np.cos(turn) - across * np.sin(turn)
        y = along * np.sin(turn) + across * np.cos(turn)
        p.box((0.5 - x, 0.5 - y), (0.14, 0.012), (240, 240, 238), angle=turn)


def bridge(p: Place) -> None:
    """A long deck from bank to bank."""
    turn = p.chance(-0.6, 0.6)
    p.strip("water", p.chance(0.4, 0.6), angle=turn + _RIGHT)
    p.road(angle=turn, width=0.06)
    p.thing("bridge", (0.5, 0.5), 0.7, Style(colours=("white", "grey"), angle=turn))


def freeway(p: Place) -> None:
    """Two wide parallel carriageways with cars in their lanes."""
    turn = p.chance(-0.7, 0.7)
    for side in (-0.11, 0.11):
        x, y = 0.5 - side * np.sin(turn), 0.5 + side * np.cos(turn)
        p.road(angle=turn, at=(x, y), width=0.17, bend=0.0)
        for _ in range(p.count(3, 6)):
            along, across = p.chance(-0.5, 0.5), (-0.04, 0.04)[p.count(0, 1)]
            at = (
                x + along * np.cos(turn) - across * np.sin(turn),
                y + along * np.sin(turn) + across * np.cos(turn),
            )
            p.thing("car", at, p.chance(0.05, 0.06), Style(angle=turn))


def intersection(p: Place) -> None:
    """Two roads crossing at grade, with markings."""
    p.road(angle=0, width=0.16)
    p.road(angle=_RIGHT, width=0.16)
    p.box((0.5, 0.5), (0.17, 0.17), (92, 92, 98))
    for side in (-1, 1):
        for k in range(-3, 4):
            p.box((0.5 + side * 0.13, 0.5 + k * 0.022), (0.05, 0.01), (240, 240, 238))
            p.box((0.5 + k * 0.022, 0.5 + side * 0.13), (0.01, 0.05), (240, 240, 238))
    p.grid("building", (2, 2), 0.24, Style(colours=_ROOFS), box=(0.02, 0.02, 0.98, 0.98))


def overpass(p: Place) -> None:
    """Roads at several levels crossing in a knot with ramps."""
    for angle in (p.chance(0.4, 0.7), p.chance(2.0, 2.3)):
        p.road(angle=angle, width=0.1)
    for x, y in ((0.3, 0.5), (0.7, 0.5), (0.5, 0.28), (0.5, 0.72)):
        p.disc((x, y), 0.24, (104, 104, 110))
        p.disc((x, y), 0.16, (92, 128, 72))
    p.thing("overpass", (0.5, 0.5), 0.6, Style(angle=p.chance(0, 3)))


def roundabout(p: Place) -> None:
    """A ring of road around a planted island."""
    p.road(angle=p.chance(-0.3, 0.3), width=0.1)
    p.road(angle=_RIGHT + p.chance(-0.3, 0.3), width=0.1)
    p.disc((0.5, 0.5), 0.46, (96, 96, 102))
    p.disc((0.5, 0.5), 0.26, (70, 140, 66))
    p.disc((0.5, 0.5), 0.1, (210, 200, 180))
    p.scatter("tree", (5, 9), (0.06, 0.09))


def railway(p: Place) -> None:
    """Bare tracks on ballast."""
    turn = p.chance(-0.7, 0.7)
    p.strip("rock", 0.26, angle=turn)
    for k in range(-2, 3):
        x, y = (0.5 - k * 0.05 * np.sin(turn), 0.5 + k * 0.05 * np.cos(turn))
        p.box((x, y), (2.0, 0.012), _TRACK, angle=turn)


def railway_station(p: Place) -> None:
    """A great roof across many tracks."""
    p.strip("rock", 0.6, angle=0)
    for k in range(9):
        p.box((0.5, 0.24 + k * 0.065), (1.2, 0.01), _TRACK)
    p.thing("train station", (0.5, 0.5), 0.62, Style(angle=0.0))
    p.box((0.5, 0.5), (0.3, 0.6), (222, 222, 226), shadow=0.04)


def parking_lot(p: Place) -> None:
    """Rows of cars of all colours."""
    for row in range(6):
        p.box((0.5, 0.1 + row * 0.16), (0.96, 0.008), (236, 236, 232))
    p.grid("car", (14, 12), 0.052, Style(fill=0.75, angle=_RIGHT), box=(0.02, 0.02, 0.98, 0.98))


def harbor(p: Place) -> None:
    """Boats packed along piers."""
    for x in (0.2, 0.5, 0.8):
        p.box((x, 0.45), (0.03, 0.9), (190, 180, 164))
    for x in (0.2, 0.5, 0.8):
        for side in (-1, 1):
            at = x + side * 0.075
            p.grid(
                "ship",
                (1, 8),
                0.1,
                Style(fill=0.85, colours=("white",)),
                box=(at - 0.01, 0.05, at + 0.01, 0.85),
            )


def ship(p: Place) -> None:
    """One or two ships under way with their wake."""
    for y in (0.3, 0.7)[: p.count(1, 2)]:
        turn = p.chance(-0.5, 0.5)
        wake = polyline((-0.5, -0.16), (0.4, 0), (-0.5, 0.16))
        p.plain(wake, (0.34, y), 0.6, (150, 180, 200), angle=turn)
        p.thing(
            "ship",
            (0.5, y),
            p.chance(0.36, 0.5),
            Style(colours=("white", "red", "grey"), angle=turn),
        )
