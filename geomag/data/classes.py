"""Class tables: the spelling on disk and the display name that prompts, training and scores use.

The choice of display names moves the scores (ROC protocol 3.5, scene protocol 5.3), so each
table stands here once.
"""

import re
from collections.abc import Mapping

from geomag.errors import AnnotationError

DIOR_CLASSES: Mapping[str, str] = {
    "airplane": "airplane",
    "airport": "airport",
    "baseballfield": "baseball field",
    "basketballcourt": "basketball court",
    "bridge": "bridge",
    "chimney": "chimney",
    "dam": "dam",
    "Expressway-Service-area": "expressway service area",
    "Expressway-toll-station": "expressway toll station",
    "golffield": "golf field",
    "groundtrackfield": "ground track field",
    "harbor": "harbor",
    "overpass": "overpass",
    "ship": "ship",
    "stadium": "stadium",
    "storagetank": "storage tank",
    "tenniscourt": "tennis court",
    "trainstation": "train station",
    "vehicle": "vehicle",
    "windmill": "windmill",
}
"""DIOR-RSVG's XML names, and RRSIS-D's category names, to display names."""

RRSIS_D_CATEGORIES: tuple[str, ...] = (
    "Expressway-Service-area",
    "Expressway-toll-station",
    *(name for name in DIOR_CLASSES if not name.startswith("Expressway")),
)
"""RRSIS-D's 0-based ``categories_id`` is the position in this tuple."""

AID_COUNTS: Mapping[str, int] = {
    "Airport": 360,
    "BareLand": 310,
    "BaseballField": 220,
    "Beach": 400,
    "Bridge": 360,
    "Center": 260,
    "Church": 240,
    "Commercial": 350,
    "DenseResidential": 410,
    "Desert": 300,
    "Farmland": 370,
    "Forest": 250,
    "Industrial": 390,
    "Meadow": 280,
    "MediumResidential": 290,
    "Mountain": 340,
    "Park": 350,
    "Parking": 390,
    "Playground": 370,
    "Pond": 420,
    "Port": 380,
    "RailwayStation": 260,
    "Resort": 290,
    "River": 410,
    "School": 300,
    "SparseResidential": 300,
    "Square": 330,
    "Stadium": 290,
    "StorageTanks": 360,
    "Viaduct": 420,
}
"""AID's folders and how many images the published set has in each."""

AID_CLASSES: Mapping[str, str] = {
    folder: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", folder).lower() for folder in AID_COUNTS
}
"""AID's folder to display name: split at inner capitals, lower case."""

RESISC45_CLASSES: Mapping[str, str] = {
    name: name.replace("_", " ")
    for name in (
        "airplane",
        "airport",
        "baseball_diamond",
        "basketball_court",
        "beach",
        "bridge",
        "chaparral",
        "church",
        "circular_farmland",
        "cloud",
        "commercial_area",
        "dense_residential",
        "desert",
        "forest",
        "freeway",
        "golf_course",
        "ground_track_field",
        "harbor",
        "industrial_area",
        "intersection",
        "island",
        "lake",
        "meadow",
        "medium_residential",
        "mobile_home_park",
        "mountain",
        "overpass",
        "palace",
        "parking_lot",
        "railway",
        "railway_station",
        "rectangular_farmland",
        "river",
        "roundabout",
        "runway",
        "sea_ice",
        "ship",
        "snowberg",
        "sparse_residential",
        "stadium",
        "storage_tank",
        "tennis_court",
        "terrace",
        "thermal_power_station",
        "wetland",
    )
}
"""RESISC45's folder to display name: underscore to blank."""

UCM_CLASSES: tuple[str, ...] = (
    "agricultural",
    "airplane",
    "baseballdiamond",
    "beach",
    "buildings",
    "chaparral",
    "denseresidential",
    "forest",
    "freeway",
    "golfcourse",
    "harbor",
    "intersection",
    "mediumresidential",
    "mobilehomepark",
    "overpass",
    "parkinglot",
    "river",
    "runway",
    "sparseresidential",
    "storagetanks",
    "tenniscourt",
)
"""UC Merced's classes, 100 images each in this order."""

SYDNEY_LAST: Mapping[str, int] = {
    "residential": 242,
    "airport": 264,
    "meadow": 314,
    "rivers": 359,
    "ocean": 451,
    "industrial": 547,
    "runway": 613,
}
"""Number of the last image of each class; the files are in class order."""


def class_key(name: str) -> str:
    """A class name without case, blanks, hyphens and underscores.

    >>> class_key("Expressway-Service-area") == class_key("expressway service area")
    True
    """
    return re.sub(r"[\s_-]", "", name).lower()


_DIOR_BY_KEY = {class_key(name): display for name, display in DIOR_CLASSES.items()}


def dior_display(name: str, *, place: str) -> str:
    """Display name of a DIOR class however it is spelt; an unknown one is an error.

    >>> dior_display("Train_Station", place="example")
    'train station'
    """
    try:
        return _DIOR_BY_KEY[class_key(name)]
    except KeyError:
        raise AnnotationError(
            place, f"class {name!r}", f"one of {sorted(DIOR_CLASSES.values())}"
        ) from None


def scene_classes(benchmark: str) -> tuple[str, ...]:
    """Display names of a scene set in index order, as its prompts list them.

    >>> scene_classes("aid")[:2]
    ('airport', 'bare land')
    """
    return tuple({"aid": AID_CLASSES, "resisc45": RESISC45_CLASSES}[benchmark].values())
