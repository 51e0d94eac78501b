"""Movable things and small structures: aircraft, ships, road vehicles, tanks, towers, trees."""

import numpy as np

from geomag.sample.draw.canvas import Points, Sprite, Stroke, tint
from geomag.sample.draw.outlines import band, blob, ellipse, polyline, rectangle
from geomag.sample.draw.palette import Rgb, lighter

Rng = np.random.Generator


def airplane(rng: Rng, rgb: Rgb) -> Sprite:
    """Nose to the right: fuselage, swept wings, tail plane."""
    sweep = float(rng.uniform(0.1, 0.2))
    body = polyline((0.5, 0), (0.42, 0.05), (-0.48, 0.045), (-0.48, -0.045), (0.42, -0.05))
    wings = polyline(
        (0.14, 0.0),
        (-0.02 - sweep, 0.46),
        (-0.13 - sweep, 0.46),
        (-0.08, 0.0),
        (-0.13 - sweep, -0.46),
        (-0.02 - sweep, -0.46),
    )
    tail = polyline(
        (-0.34, 0.0), (-0.45, 0.17), (-0.5, 0.17), (-0.47, 0.0), (-0.5, -0.17), (-0.45, -0.17)
    )
    spine = Stroke(polyline((0.4, 0), (-0.46, 0)), lighter(rgb, -50), 0.03)
    return Sprite(outline=(body, wings, tail), rgb=rgb, strokes=(spine,), pad="land", shadow=0.06)


def ship(rng: Rng, rgb: Rgb) -> Sprite:
    """A pointed hull with a deck house and hatches."""
    beam = float(rng.uniform(0.2, 0.28))
    b = beam / 2
    hull = polyline(
        (0.5, 0), (0.3, b), (-0.46, b), (-0.5, b * 0.7), (-0.5, -b * 0.7), (-0.46, -b), (0.3, -b)
    )
    dark, pale = lighter(rgb, -70), (236, 236, 232)
    deck = [Stroke(rectangle(0.14, beam * 0.7, x=-0.34), pale if sum(rgb) < 560 else dark)]
    for x in (-0.14, 0.02, 0.18):
        deck.append(Stroke(rectangle(0.1, beam * 0.45, x=x), dark))
    return Sprite(outline=(hull,), rgb=rgb, strokes=tuple(deck), pad="water")


def _road_vehicle(rgb: Rgb, height: float, parts: tuple[Stroke, ...]) -> Sprite:
    return Sprite(outline=(rectangle(1, height),), rgb=rgb, strokes=parts, pad="land", shadow=0.08)


def car(rng: Rng, rgb: Rgb) -> Sprite:
    """A short rectangle with two dark windows."""
    dark = (40, 44, 52) if sum(rgb) > 200 else (120, 124, 132)
    panes = (
        Stroke(rectangle(0.12, 0.34, x=0.16), dark),
        Stroke(rectangle(0.1, 0.34, x=-0.3), dark),
    )
    return _road_vehicle(rgb, 0.46, panes)


def van(rng: Rng, rgb: Rgb) -> Sprite:
    """Longer than a car, with one window in front."""
    return _road_vehicle(rgb, 0.42, (Stroke(rectangle(0.1, 0.32, x=0.34), (40, 44, 52)),))


def truck(rng: Rng, rgb: Rgb) -> Sprite:
    """A cab and a box of another tone."""
    box = (Stroke(rectangle(0.7, 0.34, x=-0.15), lighter(rgb, -45)),)
    gap = (Stroke(rectangle(0.04, 0.34, x=0.24), (30, 30, 30)),)
    return _road_vehicle(rgb, 0.34, box + gap)


def trailer(rng: Rng, rgb: Rgb) -> Sprite:
    """A plain box with ribs and a draw bar."""
    ribs = tuple(Stroke(rectangle(0.03, 0.3, x=x), lighter(rgb, -60)) for x in (-0.3, -0.05, 0.2))
    bar = rectangle(0.14, 0.06, x=0.43)
    return Sprite(
        outline=(rectangle(0.88, 0.34, x=-0.06), bar),
        rgb=rgb,
        strokes=ribs,
        pad="land",
        shadow=0.08,
    )


def bus(rng: Rng, rgb: Rgb) -> Sprite:
    """A long rectangle with roof hatches."""
    hatches = tuple(Stroke(rectangle(0.1, 0.12, x=x), lighter(rgb, -55)) for x in (-0.3, 0.0, 0.3))
    return _road_vehicle(rgb, 0.26, hatches)


def storage_tank(rng: Rng, rgb: Rgb) -> Sprite:
    """A disc with a rim, a lit half and a shadow."""
    rim = Stroke(
        np.concatenate([ellipse(0.92, 0.92), ellipse(0.92, 0.92)[:1]]), lighter(rgb, -60), 0.06
    )
    lit = Stroke(ellipse(0.46, 0.46, x=-0.14, y=-0.14), lighter(rgb, 18))
    pipe = Stroke(polyline((0, 0), (0.4, 0.1)), lighter(rgb, -60), 0.05)
    return Sprite(outline=(ellipse(1, 1),), rgb=rgb, strokes=(lit, rim, pipe), shadow=0.14)


def chimney(rng: Rng, rgb: Rgb) -> Sprite:
    """A tapering stack seen at a slant, banded, with a dark mouth."""
    stack = polyline((0.5, 0.07), (-0.4, 0.15), (-0.4, -0.15), (0.5, -0.07))
    mouth = ellipse(0.3, 0.36, x=-0.35)
    bands = [Stroke(rectangle(0.12, 0.4, x=x), lighter(rgb, -90)) for x in (-0.05, 0.2)]
    hole = Stroke(ellipse(0.17, 0.2, x=-0.35), (18, 18, 18))
    return Sprite(outline=(stack, mouth), rgb=rgb, strokes=(*bands, hole), pad="land", shadow=0.1)


def windmill(rng: Rng, rgb: Rgb) -> Sprite:
    """Three blades around a hub, and the tower."""
    turn = float(rng.uniform(0, 2 * np.pi / 3))
    blades: list[Points] = []
    for k in range(3):
        a = turn + k * 2 * np.pi / 3
        tip, side = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
        blades.append(np.array([side * 0.055, tip * 0.3 + side * 0.05, tip * 0.5, -side * 0.055]))
    hub = ellipse(0.17, 0.17)
    centre = Stroke(ellipse(0.1, 0.1), lighter(rgb, -90))
    return Sprite(outline=(*blades, hub), rgb=rgb, strokes=(centre,), shadow=0.12)


def tree(rng: Rng, rgb: Rgb) -> Sprite:
    """A round crown with a lit side."""
    lit = Stroke(blob(rng, 0.5, 0.5) + np.array([-0.12, -0.12]), lighter(rgb, 26))
    return Sprite(outline=(blob(rng, 1, 1),), rgb=rgb, strokes=(lit,), shadow=0.14)


def building(rng: Rng, rgb: Rgb) -> Sprite:
    """A roof with two slopes, flat with boxes, or L-shaped."""
    depth = float(rng.uniform(0.5, 0.95))
    style = int(rng.integers(3))
    if style == 0:
        half = Stroke(rectangle(1, depth / 2, y=depth / 4), lighter(rgb, -40))
        ridge = Stroke(polyline((-0.5, 0), (0.5, 0)), lighter(rgb, 30), 0.03)
        parts: tuple[Stroke, ...] = (half, ridge)
        outline: tuple[Points, ...] = (rectangle(1, depth),)
    elif style == 1:
        boxes = rng.uniform(-0.3, 0.3, (3, 2)) * np.array([1, depth])
        parts = tuple(
            Stroke(rectangle(0.12, 0.12, x=float(x), y=float(y)), lighter(rgb, -60))
            for x, y in boxes
        )
        outline = (rectangle(1, depth),)
    else:
        outline = (
            rectangle(1, depth / 2, y=depth / 4),
            rectangle(0.45, depth, x=-0.275),
        )
        parts = (Stroke(rectangle(0.2, depth, x=-0.4), lighter(rgb, -40)),)
    return Sprite(outline=outline, rgb=rgb, strokes=parts, pad="land", shadow=0.1)


def road_marking(rng: Rng, rgb: Rgb) -> Sprite:
    """An arrow painted on the ground, or a crossing's bar."""
    if rng.random() < 0.5:
        return Sprite(outline=(rectangle(1, 0.3),), rgb=rgb, pad="land")
    shaft = rectangle(0.7, 0.14, x=-0.15)
    head = polyline((0.5, 0), (0.1, 0.24), (0.1, -0.24))
    return Sprite(outline=(shaft, head), rgb=rgb, pad="land")


def patch(rng: Rng, rgb: Rgb) -> Sprite:
    """A piece of plain ground: low vegetation or paving."""
    shape = blob(rng, 1, float(rng.uniform(0.6, 1.0)), rough=0.3)
    spots = tuple(
        Stroke(ellipse(0.14, 0.12, x=float(x), y=float(y)), tint(rng, rgb))
        for x, y in rng.uniform(-0.3, 0.3, (5, 2))
    )
    return Sprite(outline=(shape,), rgb=rgb, strokes=spots)


def lane(rng: Rng, rgb: Rgb, *, width: float, dashes: Rgb | None, bend: float = 0.06) -> Sprite:
    """A strip along its frame with at most ``bend`` to a side: road, sidewalk, bikeway."""
    x = np.linspace(-0.5, 0.5, 13)
    swing = float(rng.uniform(-bend, bend))
    centre = np.stack([x, swing * np.cos(x * np.pi * float(rng.uniform(1, 2)))], axis=1)
    marks: list[Stroke] = []
    if dashes is not None:
        marks = [Stroke(centre[k : k + 2], dashes, 0.006) for k in range(0, 12, 2)]
    return Sprite(outline=(band(centre, width),), rgb=rgb, strokes=tuple(marks))
