"""The classes of DIOR, whose pictures RRSIS-D and DIOR-RSVG share (protocols/roc#classes)."""

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
