"""Whole-scene classes: one drawing per meaning, shared by AID, RESISC45, UC Merced and Sydney."""

import re
from collections.abc import Callable

import numpy as np

from geomag.sample.draw import natural_places as natural
from geomag.sample.draw import town_places as town
from geomag.sample.draw import transport_places as transport
from geomag.sample.draw.canvas import Canvas
from geomag.sample.draw.layout import Place
from geomag.sample.draw.scene import Scene, finish
from geomag.sample.draw.textures import ground

Recipe = Callable[[Place], None]

_PLACES: dict[str, tuple[Recipe, str]] = {
    "airplane": (transport.airplane, "concrete"),
    "airport": (transport.airport, "grass"),
    "bare land": (natural.bare_land, "bare land"),
    "baseball field": (town.baseball_field, "grass"),
    "basketball court": (town.basketball_court, "grass"),
    "beach": (natural.beach, "sand"),
    "bridge": (transport.bridge, "grass"),
    "buildings": (town.buildings, "asphalt"),
    "center": (town.center, "grass"),
    "chaparral": (natural.chaparral, "scrub"),
    "church": (town.church, "grass"),
    "circular farmland": (natural.circular_farmland, "scrub"),
    "cloud": (natural.cloud, "sea"),
    "commercial": (town.commercial, "concrete"),
    "dense residential": (town.dense_residential, "asphalt"),
    "desert": (natural.desert, "dune"),
    "farmland": (natural.farmland, "bare land"),
    "forest": (natural.forest, "forest"),
    "freeway": (transport.freeway, "grass"),
    "golf course": (town.golf_course, "grass"),
    "ground track field": (town.ground_track_field, "grass"),
    "harbor": (transport.harbor, "water"),
    "industrial": (town.industrial, "asphalt"),
    "intersection": (transport.intersection, "grass"),
    "island": (natural.island, "sea"),
    "lake": (natural.lake, "grass"),
    "meadow": (natural.meadow, "meadow"),
    "medium residential": (town.medium_residential, "grass"),
    "mobile home park": (town.mobile_home_park, "grass"),
    "mountain": (natural.mountain, "rock"),
    "ocean": (natural.ocean, "sea"),
    "overpass": (transport.overpass, "grass"),
    "palace": (town.palace, "grass"),
    "park": (natural.park, "grass"),
    "parking lot": (transport.parking_lot, "asphalt"),
    "pond": (natural.pond, "meadow"),
    "railway": (transport.railway, "scrub"),
    "railway station": (transport.railway_station, "asphalt"),
    "resort": (town.resort, "meadow"),
    "river": (natural.river, "grass"),
    "roundabout": (transport.roundabout, "grass"),
    "runway": (transport.runway, "meadow"),
    "school": (town.school, "grass"),
    "sea ice": (natural.sea_ice, "snow"),
    "ship": (transport.ship, "sea"),
    "snowberg": (natural.snowberg, "snow"),
    "sparse residential": (town.sparse_residential, "grass"),
    "square": (town.square, "asphalt"),
    "stadium": (town.stadium, "grass"),
    "storage tank": (town.storage_tank, "bare land"),
    "tennis court": (town.tennis_court, "grass"),
    "terrace": (natural.terrace, "grass"),
    "thermal power station": (town.thermal_power_station, "bare land"),
    "wetland": (natural.wetland, "marsh"),
}
"""Recipe and ground of each drawing."""

PLACE_KINDS: tuple[str, ...] = tuple(_PLACES)

_SYNONYMS = {
    "agricultural": "farmland",
    "baseball diamond": "baseball field",
    "commercial area": "commercial",
    "golf field": "golf course",
    "industrial area": "industrial",
    "mobilehome park": "mobile home park",
    "parking": "parking lot",
    "playground": "ground track field",
    "port": "harbor",
    "rectangular farmland": "farmland",
    "residential": "medium residential",
    "viaduct": "overpass",
}


def place_of(name: str) -> str:
    """The drawing that shows a benchmark's class, whatever its spelling.

    >>> place_of("BareLand"), place_of("storage_tank"), place_of("mobilehomepark")
    ('bare land', 'storage tank', 'mobile home park')

    Raises:
        KeyError: If no drawing shows the class.
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower().strip()
    for form in (words, words.removesuffix("s")):
        if form in _PLACES:
            return form
        if form in _SYNONYMS:
            return _SYNONYMS[form]
        if joined := _JOINED.get(form.replace(" ", "")):
            return joined
    raise KeyError(f"no drawing shows the class {name!r}")


_JOINED = {key.replace(" ", ""): key for key in _PLACES} | {
    key.replace(" ", ""): kind for key, kind in _SYNONYMS.items()
}
"""The same names run together, as UC Merced's folders have them ("denseresidential")."""


def draw_place(rng: np.random.Generator, kind: str, *, width: int, height: int) -> Scene:
    """Draw a whole-scene class.

    Args:
        rng: The only source of chance.
        kind: One of `PLACE_KINDS`; `place_of` finds it for a benchmark's class name.
        width: Pixels.
        height: Pixels.

    Raises:
        KeyError: On a kind that is not in `PLACE_KINDS`.
    """
    recipe, base = _PLACES[kind]
    canvas = Canvas(ground(rng, base, width=width, height=height), base)
    recipe(Place(rng, canvas))
    return finish(rng, canvas, kind=kind)
