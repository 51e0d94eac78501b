"""Five sentences about a place, in the manner of UCM- and Sydney-Captions.

A blank stands before the period, sentences repeat, and some typos of the originals are kept
(protocols/captions#rows).
"""

from collections import Counter

import numpy as np

from geomag.sample.draw.matching import counted
from geomag.sample.draw.scene import Scene

_WORDS: dict[str, tuple[str, str, str]] = {
    "airplane": ("airplanes", "parked on the concrete", "the airport"),
    "airport": ("runways and a terminal", "with airplanes at the gates", "the airport"),
    "bare land": ("bare soil", "with faint tracks", "the bare land"),
    "baseball field": ("a baseball diamond", "with a brown infield", "the green lawn"),
    "basketball court": ("a basketball court", "with white lines", "the trees"),
    "beach": ("a beach", "with white waves on the sand", "the blue sea"),
    "bridge": ("a long bridge", "across the water", "the river"),
    "buildings": ("large buildings", "with flat roofs", "the parking places"),
    "center": ("a round hall", "with paths around it", "the center"),
    "chaparral": ("chaparral", "with dark bushes", "the sandy ground"),
    "church": ("a church", "with a cross shaped roof", "the yard"),
    "circular farmland": ("circular fields", "with a pivot line", "the farmland"),
    "cloud": ("white clouds", "in thick banks", "the dark sea"),
    "commercial": ("commercial buildings", "along busy streets", "the city"),
    "dense residential": ("dense houses", "arranged neatly in lines", "the narrow roads"),
    "desert": ("sand dunes", "with long crests", "the desert"),
    "farmland": ("crop fields", "with straight furrows", "the farmland"),
    "forest": ("dense trees", "with dark green crowns", "the forest"),
    "freeway": ("a wide freeway", "with many cars on it", "the lanes"),
    "golf course": ("a golf course", "with white bunkers", "the green turf"),
    "ground track field": ("a red track", "around a football pitch", "the playground"),
    "harbor": ("boats", "docked in lines at the harbor", "the piers"),
    "industrial": ("industrial halls", "with long roofs", "the industrial area"),
    "intersection": ("an intersection", "with white crosswalks", "the two roads"),
    "island": ("an island", "with a sandy shore", "the open sea"),
    "lake": ("a lake", "with calm water", "the green banks"),
    "meadow": ("a meadow", "with pale grass", "the open land"),
    "medium residential": ("houses", "with gardens along a street", "the residential area"),
    "mobile home park": ("mobile homes", "parked close in slanted rows", "the mobile home park"),
    "mountain": ("rocky mountains", "with steep ridges", "the valleys"),
    "ocean": ("dark blue water", "with small waves", "the ocean"),
    "overpass": ("an overpass", "with ramps across each other", "the highway"),
    "palace": ("a palace", "with golden roofs", "the courtyard"),
    "park": ("a park", "with curved paths", "the pond and lawns"),
    "parking lot": ("many cars", "parked neatly in rows", "the parking lot"),
    "pond": ("a small pond", "with buildings beside it", "the path"),
    "railway": ("railway tracks", "in parallel on gravel", "the railway"),
    "railway station": ("a railway station", "with a great roof", "the tracks"),
    "resort": ("swimming pools", "among red roofs", "the resort"),
    "river": ("a river", "winding between the banks", "the green bushes"),
    "roundabout": ("a roundabout", "with a planted island", "the ring road"),
    "runway": ("a straight runway", "with white marking lines", "the lawn"),
    "school": ("a school", "with a running track", "the teaching blocks"),
    "sea ice": ("sea ice", "broken by dark cracks", "the frozen sea"),
    "ship": ("a ship", "with a long wake", "the open water"),
    "snowberg": ("snow", "on dark rocks", "the snowberg"),
    "sparse residential": ("houses", "few and hidden in the trees", "the sparse residential area"),
    "square": ("a paved square", "with a fountain", "the plaza"),
    "stadium": ("a stadium", "with stands around the pitch", "the concrete ground"),
    "storage tank": ("storage tanks", "in white rows", "the bare ground"),
    "tennis court": ("tennis courts", "side by side with white lines", "the fence"),
    "terrace": ("terraces", "one inside the other", "the hillside"),
    "thermal power station": ("cooling towers", "with white steam", "the power station"),
    "wetland": ("wetland", "with winding pools", "the reeds"),
}
"""Subject, detail and setting of each place kind: the words that tell it from the others."""

_FRAMES = (
    "There {is_} {subject} {detail} .",
    "{Subject} {detail} near {setting} .",
    "Here we can see {subject} at {setting} .",
    "{This_is} {subject} {detail} at {setting} .",
)
_SCENERY = ("tree", "car", "building")
"""Classes that are counted only where nothing else tells the place."""
_TYPOS = (("parallel", "parrallel"), ("houses", "hosues"), ("sand", "snad"), ("some", "ssome"))


def captions(scene: Scene, rng: np.random.Generator) -> tuple[str, ...]:
    """Exactly five sentences; those of different kinds share little but their frames."""
    subject, detail, setting = _WORDS[scene.kind] if scene.kind in _WORDS else _object_words(scene)
    many = _is_plural(subject)
    words = {
        "is_": "are" if many else "is",
        "This_is": "These are" if many else "This is",
        "subject": subject,
        "Subject": subject[0].upper() + subject[1:],
        "detail": detail,
        "setting": setting,
    }
    sentences = [frame.format(**words) for frame in _FRAMES]
    sentences.append(_counting_sentence(scene, setting) or sentences[0])
    order = [sentences[int(k)] for k in rng.permutation(5)]
    if rng.random() < 0.2:
        order[int(rng.integers(5))] = order[int(rng.integers(5))]
    return tuple(_mistype(s, rng) for s in order)


def _is_plural(subject: str) -> bool:
    first, *_ = subject.split(" and ")
    return first.split()[0] not in ("a", "an") and first.endswith("s")


def _object_words(scene: Scene) -> tuple[str, str, str]:
    """Words for a scene of single objects, which has no kind of its own."""
    counts = Counter(o.category for o in scene.objects)
    parts = [counted(n, name) for name, n in counts.items()][:2]
    return " and ".join(parts) or "open land", "seen from above", f"the {scene.ground}"


def _counting_sentence(scene: Scene, setting: str) -> str:
    """Count the most frequent class: There are two airplanes at the airport ."""
    counts = Counter(o.category for o in scene.objects)
    ranked = sorted(counts, key=lambda name: (name in _SCENERY, -counts[name]))
    if not ranked:
        return ""
    name, number = ranked[0], counts[ranked[0]]
    if name == "tree" and number > 1:
        return f"There are some trees beside {setting} ."
    return f"There {'is' if number == 1 else 'are'} {counted(number, name)} at {setting} ."


def _mistype(sentence: str, rng: np.random.Generator) -> str:
    for right, wrong in _TYPOS:
        if right in sentence.split() and rng.random() < 0.1:
            return sentence.replace(right, wrong, 1)
    return sentence
