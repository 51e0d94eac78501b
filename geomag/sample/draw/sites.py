"""Places that count as one object: courts, fields, stations, harbours, dams, bridges, airports."""

import numpy as np

from geomag.sample.draw.canvas import Points, Sprite, Stroke
from geomag.sample.draw.outlines import band, ellipse, oval, polyline, rectangle, sector
from geomag.sample.draw.palette import Rgb, lighter

Rng = np.random.Generator

_WHITE: Rgb = (242, 242, 240)
_TURF: Rgb = (74, 150, 70)
_ASPHALT: Rgb = (84, 84, 90)
_SOIL: Rgb = (190, 134, 84)


def _frame(width: float, height: float) -> Points:
    shape = rectangle(width, height)
    return np.concatenate([shape, shape[:1]])


def tennis_court(rng: Rng, rgb: Rgb) -> Sprite:
    """A coloured rectangle with white side lines, service boxes and a net."""
    lines = [_frame(0.82, 0.4), _frame(0.82, 0.3), polyline((-0.2, 0), (0.2, 0))]
    lines += [polyline((x, -0.15), (x, 0.15)) for x in (-0.2, 0.2)]
    lines.append(polyline((0, -0.24), (0, 0.24)))
    strokes = tuple(Stroke(p, _WHITE, 0.025) for p in lines)
    court = Stroke(rectangle(0.82, 0.4), lighter(rgb, 16))
    return Sprite(
        outline=(rectangle(1, 0.54),), rgb=lighter(rgb, -35), strokes=(court, *strokes), pad="land"
    )


def basketball_court(rng: Rng, rgb: Rgb) -> Sprite:
    """Half circles at both ends, keys in another colour, a centre circle."""
    circle = np.concatenate([ellipse(0.2, 0.2), ellipse(0.2, 0.2)[:1]])
    strokes = [Stroke(rectangle(0.2, 0.2, x=s * 0.36), (176, 60, 50)) for s in (-1, 1)]
    strokes += [Stroke(_frame(0.92, 0.5), _WHITE, 0.025), Stroke(circle, _WHITE, 0.025)]
    strokes.append(Stroke(polyline((0, -0.25), (0, 0.25)), _WHITE, 0.025))
    for s, start in ((-1, -90), (1, 90)):
        arc = sector(0.2, start, start + 180, x=s * 0.46)[1:]
        strokes.append(Stroke(arc, _WHITE, 0.025))
    return Sprite(outline=(rectangle(1, 0.58),), rgb=rgb, strokes=tuple(strokes), pad="land")


def baseball_field(rng: Rng, rgb: Rgb) -> Sprite:
    """A quarter disc of turf with a diamond of soil at its tip."""
    shape = sector(1.0, 0, 90, x=-0.5, y=-0.5)
    soil = Stroke(sector(0.52, 0, 90, x=-0.5, y=-0.5), _SOIL)
    diamond = Stroke(rectangle(0.28, 0.28, x=-0.28, y=-0.28), _TURF)
    mound = Stroke(ellipse(0.1, 0.1, x=-0.28, y=-0.28), _SOIL)
    fence = Stroke(sector(0.98, 0, 90, x=-0.5, y=-0.5)[1:], _SOIL, 0.05)
    return Sprite(outline=(shape,), rgb=_TURF, strokes=(soil, diamond, mound, fence), pad="land")


def ground_track_field(rng: Rng, rgb: Rgb) -> Sprite:
    """An oval track around a striped pitch."""
    strokes = [Stroke(oval(0.98 - k * 0.08, 0.54 - k * 0.08), _WHITE, 0.012) for k in (0, 1)]
    strokes.append(Stroke(oval(0.8, 0.36), _TURF))
    strokes += [Stroke(rectangle(0.08, 0.26, x=x), lighter(_TURF, 22)) for x in (-0.2, -0.04, 0.12)]
    strokes += [Stroke(_frame(0.46, 0.26), _WHITE, 0.015)]
    strokes.append(Stroke(polyline((0, -0.13), (0, 0.13)), _WHITE, 0.015))
    return Sprite(outline=(oval(1, 0.56),), rgb=(186, 78, 62), strokes=tuple(strokes), pad="land")


def stadium(rng: Rng, rgb: Rgb) -> Sprite:
    """An elliptical bowl of stands in sectors around a pitch."""
    ring = [Stroke(ellipse(0.86, 0.66), lighter(rgb, -45))]
    for a in np.linspace(0, 2 * np.pi, 16, endpoint=False):
        spoke = polyline((0, 0), (0.5 * float(np.cos(a)), 0.42 * float(np.sin(a))))
        ring.append(Stroke(spoke, lighter(rgb, -80), 0.015))
    ring.append(Stroke(ellipse(0.58, 0.4), _TURF))
    ring.append(Stroke(_frame(0.34, 0.2), _WHITE, 0.015))
    return Sprite(
        outline=(ellipse(1, 0.82),), rgb=rgb, strokes=tuple(ring), pad="land", shadow=0.05
    )


def bridge(rng: Rng, rgb: Rgb) -> Sprite:
    """A deck with rails and a centre line, over water."""
    width = float(rng.uniform(0.12, 0.18))
    rails = [
        Stroke(rectangle(1, 0.02, y=s * (width / 2 - 0.012)), lighter(rgb, -80)) for s in (-1, 1)
    ]
    dashes = [
        Stroke(rectangle(0.06, 0.016, x=x), lighter(rgb, 70)) for x in np.arange(-0.4, 0.41, 0.16)
    ]
    return Sprite(
        outline=(rectangle(1, width),), rgb=rgb, strokes=(*rails, *dashes), pad="water", shadow=0.04
    )


def overpass(rng: Rng, rgb: Rgb) -> Sprite:
    """Two carriageways, one above the other, with lane marks."""
    across = rectangle(0.2, 1.0)
    strokes = [Stroke(rectangle(0.02, 1.0, x=s * 0.09), _WHITE) for s in (-1, 1)]
    strokes.append(Stroke(rectangle(0.016, 1.0), (235, 200, 60)))
    strokes.append(Stroke(rectangle(1.0, 0.26), lighter(rgb, -70)))
    strokes.append(Stroke(rectangle(1.0, 0.2), lighter(rgb, 20)))
    strokes.append(Stroke(rectangle(1.0, 0.016), (235, 200, 60)))
    return Sprite(
        outline=(across, rectangle(1, 0.26)), rgb=_ASPHALT, strokes=tuple(strokes), pad="land"
    )


def dam(rng: Rng, rgb: Rgb) -> Sprite:
    """A curved wall with buttresses, holding back water."""
    x = np.linspace(-0.48, 0.48, 13)
    centre = np.stack([x, 0.5 * x * x], axis=1)
    wall = band(centre, 0.13)
    ribs = [
        Stroke(polyline((a, b - 0.02), (a, b + 0.1)), lighter(rgb, -90), 0.03)
        for a, b in centre[1:-1:2]
    ]
    crest = Stroke(centre - np.array([0, 0.04]), lighter(rgb, 40), 0.03)
    return Sprite(outline=(wall,), rgb=rgb, strokes=(*ribs, crest), pad="water", shadow=0.06)


def harbor(rng: Rng, rgb: Rgb) -> Sprite:
    """A basin with a quay, piers like a comb, and boats moored between them."""
    strokes = [Stroke(rectangle(1, 0.14, y=-0.29), rgb)]
    strokes += [Stroke(polyline((-0.5, -0.27), (0.5, -0.27)), lighter(rgb, -60), 0.015)]
    for x in np.linspace(-0.44, 0.44, 5):
        strokes.append(Stroke(rectangle(0.06, 0.5, x=float(x), y=0.03), rgb))
    for x in np.linspace(-0.33, 0.33, 4):
        for y in (-0.1, 0.05, 0.2):
            if rng.random() < 0.7:
                hull = ellipse(0.05, 0.12, x=float(x), y=y, corners=8)
                strokes.append(Stroke(hull, _WHITE))
    basin = rectangle(1, 0.72)
    return Sprite(outline=(basin,), rgb=(84, 142, 176), strokes=tuple(strokes), pad="water")


def airport(rng: Rng, rgb: Rgb) -> Sprite:
    """Grass with a runway, a taxiway, and an apron with a terminal and aircraft."""
    paved = [
        rectangle(0.96, 0.13, y=0.26),
        rectangle(0.8, 0.06, y=0.06),
        rectangle(0.6, 0.26, y=-0.18),
        rectangle(0.06, 0.3, y=0.0),
        *(rectangle(0.06, 0.24, x=x, y=0.16) for x in (-0.37, 0.37)),
    ]
    strokes = [Stroke(shape, _ASPHALT) for shape in paved]
    for x in np.arange(-0.42, 0.43, 0.12):
        strokes.append(Stroke(rectangle(0.06, 0.02, x=float(x), y=0.26), _WHITE))
    strokes.append(Stroke(rectangle(0.5, 0.08, y=-0.3), (222, 220, 214)))
    for x in (-0.2, -0.07, 0.06, 0.19):
        strokes.append(Stroke(rectangle(0.09, 0.03, x=x, y=-0.15), _WHITE))
        strokes.append(Stroke(rectangle(0.03, 0.1, x=x, y=-0.15), _WHITE))
    return Sprite(
        outline=(rectangle(1, 0.74),), rgb=(150, 168, 96), strokes=tuple(strokes), pad="land"
    )


def train_station(rng: Rng, rgb: Rgb) -> Sprite:
    """Parallel tracks on ballast with a long roof over the platforms."""
    strokes = []
    for y in np.linspace(-0.2, 0.2, 6):
        strokes.append(Stroke(rectangle(1, 0.02, y=float(y)), (60, 52, 48)))
    strokes.append(Stroke(rectangle(0.56, 0.32), rgb))
    strokes += [Stroke(rectangle(0.56, 0.02, y=y), lighter(rgb, -50)) for y in (-0.08, 0.08)]
    return Sprite(
        outline=(rectangle(1, 0.5),), rgb=(132, 116, 100), strokes=tuple(strokes), pad="land"
    )


def golf_field(rng: Rng, rgb: Rgb) -> Sprite:
    """Fairways in a pale green with white bunkers, a green and a pond."""
    base = ellipse(1, 0.7)
    fair = band(polyline((-0.36, 0.1), (-0.1, -0.16), (0.14, 0.1), (0.38, -0.02)), 0.16)
    strokes = [Stroke(fair, (150, 208, 104))]
    for x, y in ((-0.22, 0.16), (0.02, -0.2), (0.3, 0.14)):
        strokes.append(Stroke(ellipse(0.13, 0.09, x=x, y=y), (238, 226, 188)))
    strokes.append(Stroke(ellipse(0.16, 0.12, x=-0.02, y=0.2), (50, 100, 150)))
    return Sprite(outline=(base,), rgb=(66, 132, 58), strokes=tuple(strokes), pad="land")


def service_area(rng: Rng, rgb: Rgb) -> Sprite:
    """Parking bays and a roofed filling station between two slip roads."""
    strokes = [
        Stroke(polyline((x, -0.28), (x, -0.1)), _WHITE, 0.012) for x in np.arange(-0.38, 0.39, 0.07)
    ]
    strokes.append(Stroke(rectangle(0.34, 0.16, x=-0.16, y=0.12), rgb))
    strokes.append(Stroke(rectangle(0.2, 0.12, x=0.24, y=0.12), (226, 222, 214)))
    strokes += [Stroke(rectangle(1, 0.02, y=y), (235, 200, 60)) for y in (-0.04, 0.26)]
    shape = polyline((-0.5, 0.32), (-0.36, -0.32), (0.36, -0.32), (0.5, 0.32))
    return Sprite(outline=(shape,), rgb=_ASPHALT, strokes=tuple(strokes), pad="land")


def toll_station(rng: Rng, rgb: Rgb) -> Sprite:
    """A carriageway that widens to a row of booths under one roof."""
    shape = polyline(
        (-0.5, -0.14),
        (-0.14, -0.32),
        (0.14, -0.32),
        (0.5, -0.14),
        (0.5, 0.14),
        (0.14, 0.32),
        (-0.14, 0.32),
        (-0.5, 0.14),
    )
    strokes = [
        Stroke(polyline((-0.24, y), (0.24, y)), _WHITE, 0.02) for y in np.linspace(-0.24, 0.24, 6)
    ]
    strokes.append(Stroke(rectangle(0.14, 0.62), rgb))
    strokes.append(Stroke(rectangle(0.03, 0.62), lighter(rgb, -60)))
    return Sprite(outline=(shape,), rgb=_ASPHALT, strokes=tuple(strokes), pad="land")


def field(rng: Rng, rgb: Rgb) -> Sprite:
    """Farmland: a rectangle with furrows."""
    height = float(rng.uniform(0.5, 0.9))
    rows = np.linspace(-height / 2, height / 2, 10)[1:-1]
    furrows = tuple(Stroke(polyline((-0.5, y), (0.5, y)), lighter(rgb, -30), 0.02) for y in rows)
    return Sprite(outline=(rectangle(1, height),), rgb=rgb, strokes=furrows)
