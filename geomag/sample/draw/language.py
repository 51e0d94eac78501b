"""What can be said of a scene: one object, a group, a grounded description, and questions.

A small closed vocabulary, and nothing said that the picture leaves open.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from geomag.data.wording import Question, article, singular
from geomag.sample.draw.captions import captions
from geomag.sample.draw.matching import (
    NEAR,
    Traits,
    counted,
    gap,
    has_clear_place,
    landmarks,
    matches,
    noun,
    present,
)
from geomag.sample.draw.questions import questions
from geomag.sample.draw.scene import Scene

__all__ = [
    "Description",
    "Expression",
    "Group",
    "Question",
    "captions",
    "describe",
    "questions",
    "refer",
    "refer_group",
]

_PLACED = (
    "{the} {noun} on the {place}",
    "{the} {noun} is on the {place}",
    "{the} {noun} in the {place}",
)
_CENTRAL = ("{the} {noun} in the {place}", "{the} {noun} is in the {place}")
_BESIDE = ("{the} {noun} next to the {beside}", "{the} {noun} is next to the {beside}")
_BARE = ("{the} {noun}", "{the} {noun} in the image")


@dataclass(frozen=True, slots=True)
class Expression:
    """A phrase that means one object of a scene."""

    text: str
    index: int
    """Index into ``scene.objects``."""


@dataclass(frozen=True, slots=True)
class Group:
    """A phrase that means every object it fits."""

    phrase: str
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """A description whose phrases are tied to objects."""

    text: str
    """Description with ``<p> phrase </p> [SEG]``, one per group."""
    groups: tuple[tuple[int, ...], ...]
    phrases: tuple[str, ...]


def refer(scene: Scene, rng: np.random.Generator, *, index: int | None = None) -> Expression | None:
    """An expression that fits exactly one object: minimal, or with one attribute to spare.

    Args:
        scene: What to speak about.
        rng: Chooses object, attributes and wording.
        index: The object to name; any that can be named by default.

    Returns:
        None if no (or not the asked) object can be told from the others.
    """
    order = [index] if index is not None else [int(k) for k in rng.permutation(len(scene.objects))]
    for target in order:
        traits = _choose_traits(scene, rng, target)
        if traits is not None:
            return Expression(_phrase(traits, rng), target)
    return None


def _choose_traits(scene: Scene, rng: np.random.Generator, target: int) -> Traits | None:
    item = scene.objects[target]
    place = item.place if has_clear_place(item, scene) else ""
    beside = _neighbour(scene, target)
    options = dict.fromkeys(
        Traits(category=item.category, colour=c, size=s, place=p, beside=b)
        for c, s, p, b in product(("", item.colour), ("", item.size), ("", place), ("", beside))
        if not (p and b)
    )
    unique = [t for t in options if matches(t, scene) == (target,)]
    if not unique:
        return None
    fewest = min(t.count for t in unique)
    wanted = fewest + int(rng.random() < 0.45)
    pick = [t for t in unique if t.count == wanted] or [t for t in unique if t.count == fewest]
    return pick[int(rng.integers(len(pick)))]


def _neighbour(scene: Scene, target: int) -> str:
    """Class of the nearest landmark right beside the target, or empty."""
    item = scene.objects[target]
    near = [
        (gap(item, scene.objects[k], scene), scene.objects[k].category)
        for k in landmarks(scene)
        if k != target
    ]
    distance, category = min(near, default=(1.0, ""))
    return category if distance <= NEAR else ""


def _phrase(traits: Traits, rng: np.random.Generator) -> str:
    """Word the traits as annotators do: articles, capitals and full stops come and go."""
    patterns = (
        _CENTRAL
        if traits.place == "center"
        else _PLACED
        if traits.place
        else _BESIDE
        if traits.beside
        else _BARE
    )
    pattern = patterns[int(rng.integers(len(patterns)))]
    words = noun(traits)
    lead = ("The", "A", "the", "")[int(rng.integers(4))]
    lead = "An" if lead == "A" and words[0] in "aeiou" else lead
    text = pattern.format(
        the=lead, noun=words, place=traits.place, beside=singular(traits.beside)
    ).strip()
    return text + ("." if rng.random() < 0.5 else "")


def refer_group(scene: Scene, rng: np.random.Generator) -> Group | None:
    """A phrase and all objects it fits, as RefSegRS masks them; None in an empty scene."""
    options: dict[str, tuple[int, ...]] = {}
    for item in scene.objects:
        for colour in dict.fromkeys(("", item.colour)):
            traits = Traits(category=item.category, colour=colour)
            options[noun(traits)] = matches(traits, scene)
    for category in present(scene):
        along = _along_the_road(scene, category)
        if along:
            options[f"{category} along the road"] = along
    if not options:
        return None
    phrase = list(options)[int(rng.integers(len(options)))]
    return Group(phrase, options[phrase])


def _along_the_road(scene: Scene, category: str) -> tuple[int, ...]:
    """Members of a class beside a road; empty if none, all, or a doubtful one exists."""
    roads = [o for o in scene.objects if o.category == "road"]
    if category in ("road", "road marking") or not roads:
        return ()
    beside: list[tuple[int, float]] = []
    away: list[tuple[int, float]] = []
    for k, item in enumerate(scene.objects):
        if item.category == category:
            distance = min(gap(item, road, scene) for road in roads)
            (beside if distance <= NEAR else away).append((k, distance))
    if not away or min(d for _, d in away) < 2 * NEAR:
        return ()
    return tuple(k for k, _ in beside)


def describe(scene: Scene, rng: np.random.Generator) -> Description:
    """A grounded description: up to six groups of objects, each with its ``[SEG]``."""
    groups: list[tuple[str, tuple[int, ...]]] = []
    for category in present(scene)[:6]:
        members = matches(Traits(category=category), scene)
        colours = {scene.objects[k].colour for k in members}
        shared = colours.pop() if len(colours) == 1 and rng.random() < 0.7 else ""
        groups.append(
            (counted(len(members), " ".join(w for w in (shared, category) if w)), members)
        )
    order = [groups[int(k)] for k in rng.permutation(len(groups))]
    tagged = [_tag(scene, phrase, members, rng) for phrase, members in order]
    opening = ("An aerial view of", "The image shows")[int(rng.integers(2))]
    body = _listed(tagged) if tagged else "nothing else"
    return Description(
        text=f"{opening} {article(scene.ground + ' area')} with {body}.",
        groups=tuple(members for _, members in order),
        phrases=tuple(phrase for phrase, _ in order),
    )


def _tag(scene: Scene, phrase: str, members: tuple[int, ...], rng: np.random.Generator) -> str:
    text = f"<p> {phrase} </p> [SEG]"
    item = scene.objects[members[0]]
    if len(members) == 1 and has_clear_place(item, scene) and rng.random() < 0.5:
        return f"{text} {'in' if item.place == 'center' else 'on'} the {item.place}"
    return text


def _listed(parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return ", ".join(parts[:-1]) + " and " + parts[-1]
