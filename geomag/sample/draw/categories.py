"""What can be drawn as an object: its sprite, its natural range of sizes and colours."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from geomag.sample.draw import sites, sprites
from geomag.sample.draw.canvas import Sprite
from geomag.sample.draw.palette import Rgb

_VIVID = ("red", "blue", "yellow", "white", "orange", "black", "grey")


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One class of objects."""

    draw: Callable[[np.random.Generator, Rgb], Sprite]
    smallest: float
    """Long side in pixels of a 448 px picture; sizes are log-uniform between the two."""
    largest: float
    colours: tuple[str, ...] = ()
    """Colour words it may have; empty when colour does not tell such objects apart."""
    rgb: Rgb = (150, 150, 155)
    """Paint of a class without colour words."""
    crosses: bool = False
    """Whether it runs from border to border (roads) instead of lying inside the picture."""
    carries: bool = False
    """Whether other objects may lie on it."""

    @property
    def varies(self) -> bool:
        """Whether sizes differ enough for "small" and "large" to be worth asking about."""
        return self.largest > 2.9 * self.smallest


def _lane(width: float, rgb: Rgb, dashes: Rgb | None = None) -> Category:
    draw = partial(sprites.lane, width=width, dashes=dashes)
    return Category(draw=draw, smallest=980, largest=1000, rgb=rgb, crosses=True, carries=True)


DIOR: dict[str, Category] = {
    "airplane": Category(
        draw=sprites.airplane, smallest=24, largest=110, colours=("white", "red", "blue", "grey")
    ),
    "airport": Category(draw=sites.airport, smallest=130, largest=170),
    "baseball field": Category(draw=sites.baseball_field, smallest=60, largest=120),
    "basketball court": Category(
        draw=sites.basketball_court, smallest=44, largest=90, colours=("orange", "blue", "grey")
    ),
    "bridge": Category(
        draw=sites.bridge, smallest=90, largest=160, colours=("grey", "white", "red")
    ),
    "chimney": Category(
        draw=sprites.chimney, smallest=24, largest=80, colours=("red", "white", "grey")
    ),
    "dam": Category(draw=sites.dam, smallest=90, largest=160, rgb=(196, 190, 178)),
    "expressway service area": Category(
        draw=sites.service_area, smallest=100, largest=150, rgb=(206, 60, 50)
    ),
    "expressway toll station": Category(
        draw=sites.toll_station, smallest=90, largest=140, rgb=(60, 96, 190)
    ),
    "golf field": Category(draw=sites.golf_field, smallest=120, largest=160),
    "ground track field": Category(draw=sites.ground_track_field, smallest=80, largest=140),
    "harbor": Category(draw=sites.harbor, smallest=100, largest=150, rgb=(186, 180, 170)),
    "overpass": Category(draw=sites.overpass, smallest=90, largest=150, rgb=(150, 150, 155)),
    "ship": Category(
        draw=sprites.ship,
        smallest=16,
        largest=110,
        colours=("red", "white", "grey", "black", "orange", "yellow"),
    ),
    "stadium": Category(draw=sites.stadium, smallest=110, largest=150, rgb=(208, 206, 200)),
    "storage tank": Category(
        draw=sprites.storage_tank,
        smallest=16,
        largest=80,
        colours=("white", "grey", "red", "blue", "yellow"),
    ),
    "tennis court": Category(
        draw=sites.tennis_court, smallest=36, largest=90, colours=("green", "blue", "orange")
    ),
    "train station": Category(
        draw=sites.train_station, smallest=110, largest=160, rgb=(204, 206, 212)
    ),
    "vehicle": Category(draw=sprites.car, smallest=12, largest=36, colours=_VIVID),
    "windmill": Category(draw=sprites.windmill, smallest=40, largest=110, rgb=(244, 244, 244)),
}
"""The 20 classes of DIOR by display name (protocols/roc#classes)."""

LAND_USE: dict[str, Category] = {
    "road": _lane(0.038, (92, 92, 98), (236, 236, 232)),
    "sidewalk": _lane(0.014, (206, 200, 188)),
    "bikeway": _lane(0.015, (190, 96, 84)),
    "water": Category(draw=sprites.patch, smallest=70, largest=170, rgb=(40, 92, 158)),
    "impervious surface": Category(
        draw=sprites.patch, smallest=60, largest=140, rgb=(176, 172, 166), carries=True
    ),
    "low vegetation": Category(
        draw=sprites.patch, smallest=50, largest=140, rgb=(150, 186, 92), carries=True
    ),
    "field": Category(
        draw=sites.field, smallest=80, largest=160, colours=("yellow", "green", "orange")
    ),
    "building": Category(
        draw=sprites.building,
        smallest=24,
        largest=100,
        colours=("red", "white", "blue", "orange", "grey"),
    ),
    "tree": Category(draw=sprites.tree, smallest=16, largest=44, rgb=(34, 104, 44)),
    "truck": Category(draw=sprites.truck, smallest=30, largest=44, colours=_VIVID),
    "bus": Category(draw=sprites.bus, smallest=40, largest=56, colours=_VIVID),
    "trailer": Category(draw=sprites.trailer, smallest=32, largest=46, colours=_VIVID),
    "van": Category(draw=sprites.van, smallest=20, largest=26, colours=_VIVID),
    "car": Category(draw=sprites.car, smallest=14, largest=19, colours=_VIVID),
    "road marking": Category(
        draw=sprites.road_marking, smallest=16, largest=30, rgb=(246, 246, 244)
    ),
}
"""Land-use classes of RefSegRS and RSVQA, broad ones first: they are drawn in this order."""

CATEGORIES: dict[str, Category] = {**DIOR, **LAND_USE}
