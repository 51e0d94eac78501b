"""Class names as answers: referring object classification (SS, SIoU) and scene classification.

protocols/roc#metrics; protocols/scenes#right-names.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from geomag.metrics.vqa import first_line

_QUOTES = re.compile("[\"'`‘’“”]")
_LONGEST_NAME = 6
"""Words of the longest class name looked for in an answer; the sets' own have three."""
_SCENE_EDGES = " \t\"'`‘’“”.,;:!"


def clean_label(prediction: str) -> str:
    """The class name inside a free answer, as Osprey's scorer takes it; quotes dropped too.

    >>> clean_label('Answer: "ship".')
    'ship'
    """
    parts = first_line(prediction).split(":")
    line = parts[1] if len(parts) > 1 else parts[0]
    return " ".join(_QUOTES.sub("", re.sub("[.:,]", " ", line)).split())


def clean_truth(label: str) -> str:
    """The reference's display name: ``_`` and ``:`` are blanks."""
    return " ".join(re.sub("[_:]", " ", label).split())


def semantic_iou(prediction: str, label: str) -> float:
    """SIoU in [0, 1] of two cleaned names: shared words over all words; both empty is 0.

    >>> semantic_iou("small vehicle", "vehicle"), semantic_iou("golffield", "golf field")
    (0.5, 0.0)
    """
    left, right = set(prediction.lower().split()), set(label.lower().split())
    return len(left & right) / len(left | right) if left | right else 0.0


def class_key(name: str) -> str:
    """What two spellings of a scene class share: no case, blanks, hyphens or underscores.

    >>> class_key("Medium Residential."), class_key("parking_lot")
    ('mediumresidential', 'parkinglot')
    """
    line = first_line(unicodedata.normalize("NFKC", name)).lower().strip(_SCENE_EDGES)
    return re.sub(r"[\s_\-]", "", line)


def class_keys(names: Iterable[str]) -> dict[str, str]:
    """Display name by key, for `strict_class` and `lenient_class`."""
    return {class_key(name): name for name in names}


def strict_class(prediction: str, keys: Mapping[str, str]) -> str | None:
    """The class whose key the answer equals, or None (unparsed)."""
    return keys.get(class_key(prediction))


def lenient_class(prediction: str, keys: Mapping[str, str]) -> str | None:
    """The only class that occurs as whole words, the longest names first; else None.

    >>> keys = class_keys(["park", "parking", "dense residential"])
    >>> lenient_class("It is a dense residential area", keys)
    'dense residential'
    >>> lenient_class("park or parking", keys) is None
    True
    """
    text = unicodedata.normalize("NFKC", prediction).lower()
    words: list[str | None] = list(re.findall(r"[^\W_]+", text))
    found: set[str] = set()
    for length in range(min(len(words), _LONGEST_NAME), 0, -1):
        for start in range(len(words) - length + 1):
            run = words[start : start + length]
            if None in run:
                continue
            name = keys.get("".join(word for word in run if word))
            if name is not None:
                found.add(name)
                words[start : start + length] = [None] * length
    return found.pop() if len(found) == 1 else None
