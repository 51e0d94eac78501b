"""Questions with exact answers, worded as RSVQA words them (region protocol 2.4).

The wanted answer is drawn first (about 60 % for the majority) and a question with that
answer second, so neither the kind nor the text of a question gives the answer away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geomag.data.draw.matching import FAR, NEAR, Traits, article, gap, matches, noun, plural
from geomag.data.draw.scene import Scene

METRES_PER_PIXEL = 0.1524
"""Resolution that area answers assume: RSVQA-HR's (region protocol 2.1)."""
URBAN_BUILDINGS = 3
"""A scene with at least this many buildings is urban."""
_MAJORITY = 0.6
_TRIES = 12


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a scene and its answer."""

    kind: str
    """presence, comp, count, area or rural_urban."""
    text: str
    answer: str


def questions(
    scene: Scene, rng: np.random.Generator, *, n: int, kinds: Sequence[str]
) -> list[Question]:
    """``n`` questions, the kinds in turn; fewer if the scene cannot bear a kind.

    Raises:
        KeyError: On an unknown kind.
    """
    asked: list[Question] = []
    for number in range(n):
        question = _ASK[kinds[number % len(kinds)]](scene, rng)
        if question is not None:
            asked.append(question)
    return asked


def _pool(scene: Scene) -> tuple[str, ...]:
    return scene.pool or tuple(dict.fromkeys(o.category for o in scene.objects))


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _suffix(rng: np.random.Generator) -> str:
    return " in the image" if rng.random() < 0.1 else ""


def _presence(scene: Scene, rng: np.random.Generator) -> Question | None:
    wanted = rng.random() >= _MAJORITY  # "no" is the majority, as in RSVQA-HR
    for _ in range(_TRIES):
        if rng.random() < 0.25:
            found = _relation(scene, rng)
            if found is None:
                continue
            text, holds = found
        else:
            traits = _random_traits(scene, rng)
            holds = bool(matches(traits, scene))
            text = noun(traits)
        if holds == wanted:
            opening = _pick(rng, ("Is {} present{}?", "Is there {}{}?"))
            if " of " in text or "next to" in text:
                opening = "Is there {}{}?"
            return Question("presence", opening.format(article(text), _suffix(rng)), _yes(holds))
    return None


def _random_traits(scene: Scene, rng: np.random.Generator) -> Traits:
    """A class of the pool, half the time one that is there, with one attribute at most."""
    seen = [o.category for o in scene.objects]
    category = _pick(rng, seen if seen and rng.random() < 0.5 else _pool(scene))
    chance = rng.random()
    if chance < 0.3:
        return Traits(category=category, size=_pick(rng, ("small", "large")))
    colours = sorted({o.colour for o in scene.objects} - {""})
    if chance < 0.55 and colours:
        return Traits(category=category, colour=_pick(rng, colours))
    return Traits(category=category)


def _relation(scene: Scene, rng: np.random.Generator) -> tuple[str, bool] | None:
    """A relation ("ship next to  a bridge") and whether it holds; None when in doubt."""
    seen = [o.category for o in scene.objects]
    if len(seen) < 2:
        return None
    first, second = _pick(rng, seen), _pick(rng, seen)
    if first == second:
        return None
    pairs = [
        (a, b)
        for a in scene.objects
        for b in scene.objects
        if a.category == first and b.category == second
    ]
    relation = _pick(rng, ("next to", "on the left of", "on the right of"))
    if relation == "next to":
        closest = min(gap(a, b, scene) for a, b in pairs)
        doubtful, holds = NEAR < closest < FAR, closest <= NEAR
    else:
        sign = 1 if relation == "on the left of" else -1
        width = scene.image.shape[1]
        ahead = max(
            sign * ((b.box.x0 + b.box.x1) - (a.box.x0 + a.box.x1)) / 2 / width for a, b in pairs
        )
        doubtful, holds = abs(ahead) < NEAR, ahead > 0
    space = "  " if rng.random() < 0.5 else " "
    return None if doubtful else (f"{first} {relation}{space}{article(second)}", holds)


def _comparison(scene: Scene, rng: np.random.Generator) -> Question | None:
    wanted = rng.random() >= _MAJORITY
    seen = [o.category for o in scene.objects]
    pool = _pool(scene)
    for _ in range(_TRIES):
        first = _pick(rng, seen if seen and rng.random() < 0.6 else pool)
        second = _pick(rng, seen if seen and rng.random() < 0.6 else pool)
        if first == second:
            continue
        a, b = seen.count(first), seen.count(second)
        form = int(rng.integers(3))
        holds = (a > b, a < b, a == b)[form]
        if holds != wanted:
            continue
        x, y = plural(first), plural(second)
        text = (
            f"Are there more {x} than {y}{_suffix(rng)}?",
            f"Are there less {x} than {y}{_suffix(rng)}?",
            f"Is the number of {x} equal to the number of {y}{_suffix(rng)}?",
        )[form]
        return Question("comp", text, _yes(holds))
    return None


def _count(scene: Scene, rng: np.random.Generator) -> Question | None:
    traits = _random_traits(scene, rng)
    words = " ".join(w for w in (traits.size, traits.colour, plural(traits.category)) if w)
    form = _pick(rng, ("How many {} are there{}?", "What is the number of {}{}?"))
    return Question("count", form.format(words, _suffix(rng)), str(len(matches(traits, scene))))


def _area(scene: Scene, rng: np.random.Generator) -> Question | None:
    traits = _random_traits(scene, rng)
    pixels = sum(int(np.count_nonzero(scene.objects[k].mask)) for k in matches(traits, scene))
    words = " ".join(w for w in (traits.size, traits.colour, plural(traits.category)) if w)
    return Question(
        "area",
        f"What is the area covered by {words}{_suffix(rng)}?",
        f"{round(pixels * METRES_PER_PIXEL**2)}m2",
    )


def _rural_urban(scene: Scene, rng: np.random.Generator) -> Question | None:
    buildings = sum(o.category == "building" for o in scene.objects)
    answer = "urban" if buildings >= URBAN_BUILDINGS else "rural"
    return Question("rural_urban", "Is it a rural or an urban area", answer)


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


_ASK = {
    "presence": _presence,
    "comp": _comparison,
    "count": _count,
    "area": _area,
    "rural_urban": _rural_urban,
}
