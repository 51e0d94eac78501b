"""Questions with exact answers, worded as RSVQA words them (protocols/rsvqa#question-types).

The wanted answer is drawn first (about 60 % for the majority) and a question with that
answer second, so neither the kind nor the text of a question gives the answer away.
"""

from collections.abc import Sequence

import numpy as np

from geomag.data.wording import Question, article, plural, singular
from geomag.sample.draw.categories import CATEGORIES
from geomag.sample.draw.matching import FAR, NEAR, Traits, gap, matches, noun, present
from geomag.sample.draw.scene import Scene

METRES_PER_PIXEL = 0.1524
"""Resolution that area answers assume: RSVQA-HR's (protocols/rsvqa#files)."""
URBAN_BUILDINGS = 3
"""A scene with at least this many buildings is urban."""
_MAJORITY = 0.6
_TRIES = 12


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
    related = rng.random() < 0.25
    for _ in range(_TRIES):
        if related:
            found = _relation(scene, rng)
            if found is not None and found[1] == wanted:
                return Question(
                    "presence", f"Is there {article(found[0])}{_suffix(rng)}?", _yes(wanted)
                )
            continue
        traits = _traits(scene, rng, held=wanted)
        if bool(matches(traits, scene)) == wanted:
            form = _pick(rng, ("Is {} present{}?", "Is there {}{}?"))
            text = form.format(article(noun(traits)), _suffix(rng))
            return Question("presence", text, _yes(wanted))
    return None


def _traits(scene: Scene, rng: np.random.Generator, *, held: bool) -> Traits:
    """A class and at most one attribute.

    Those of a random object if ``held``. Otherwise the class is any of the pool and the
    attribute one that the class may have, so that the words alone give no answer away.
    """
    if held and scene.objects:
        category = _pick(rng, present(scene))
        members = [o for o in scene.objects if o.category == category]
        item = members[int(rng.integers(len(members)))]
        colour, size = item.colour, item.size
    else:
        category = _pick(rng, _pool(scene))
        colours = CATEGORIES[category].colours
        colour = _pick(rng, colours) if colours else ""
        size = _usual_size(scene, rng, category)
    chance = rng.random()
    if chance < 0.3 and CATEGORIES[category].varies:
        return Traits(category=category, size=size)
    return Traits(category=category, colour=colour if chance < 0.6 else "")


def _usual_size(scene: Scene, rng: np.random.Generator, category: str) -> str:
    """A size word in about the share that objects of the class have it."""
    model = CATEGORIES[category]
    if model.largest < 45:
        return "small" if rng.random() < 0.85 else "large"
    return _pick(rng, ("small", "large"))


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
    if any(CATEGORIES[name].crosses for name in (first, second)):
        relation = "next to"  # a road has no side of the picture
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
    space = "  " if rng.random() < 0.8 else " "
    text = f"{singular(first)} {relation}{space}{article(singular(second))}"
    return None if doubtful else (text, holds)


def _comparison(scene: Scene, rng: np.random.Generator) -> Question | None:
    wanted = rng.random() >= _MAJORITY
    seen, pool = [o.category for o in scene.objects], _pool(scene)
    for _ in range(_TRIES):
        first, second = (
            _pick(rng, present(scene) if seen and rng.random() < 0.6 else pool) for _ in range(2)
        )
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
    traits = _traits(scene, rng, held=rng.random() < 0.75)
    words = " ".join(w for w in (traits.size, traits.colour, plural(traits.category)) if w)
    form = _pick(rng, ("How many {} are there{}?", "What is the number of {}{}?"))
    return Question("count", form.format(words, _suffix(rng)), str(len(matches(traits, scene))))


def _area(scene: Scene, rng: np.random.Generator) -> Question | None:
    traits = _traits(scene, rng, held=rng.random() < 0.75)
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
