import re
from collections import Counter

import numpy as np
import pytest

from geomag.sample.draw.categories import CATEGORIES
from geomag.sample.draw.language import describe, questions, refer, refer_group
from geomag.sample.draw.palette import COLOURS
from geomag.seeds import generator

PLACES = "upper left|upper right|lower left|lower right|top|bottom|left|right|center"
PATTERN = re.compile(
    r"^(?:(?:the|an|a) )?(?:(?P<size>small|large) )?"
    rf"(?:(?P<colour>{'|'.join(COLOURS)}) )?"
    r"(?P<category>.+?)"
    rf"(?: (?:is )?(?:on|in) the (?P<place>{PLACES})"
    r"| (?:is )?next to the (?P<beside>.+)| in the image)?$"
)


def parse(text):
    found = PATTERN.match(text.lower().rstrip("."))
    assert found, text
    words = {k: v or "" for k, v in found.groupdict().items()}
    for key in ("category", "beside"):
        words[key] = words[key].removesuffix(" area") if "service" not in words[key] else words[key]
    assert words["category"] in CATEGORIES, text
    return words


def fits(words, item, scene):
    """Independent reading: words are right, place by thirds of the picture."""
    if item.category != words["category"]:
        return False
    if words["colour"] and item.colour != words["colour"]:
        return False
    if words["size"] and item.size != words["size"]:
        return False
    height, width = scene.image.shape[:2]
    ys, xs = np.nonzero(item.mask)
    x, y = (xs.min() + xs.max() + 1) / 2 / width, (ys.min() + ys.max() + 1) / 2 / height
    in_third = {
        "left": x < 1 / 3,
        "right": x >= 2 / 3,
        "top": y < 1 / 3,
        "upper": y < 1 / 3,
        "bottom": y >= 2 / 3,
        "lower": y >= 2 / 3,
        "center": 1 / 3 <= x < 2 / 3 and 1 / 3 <= y < 2 / 3,
    }
    return all(in_third[word] for word in words["place"].split())


def distance(first, second):
    """Smallest distance between pixels of two masks' borders, brute force on a grid."""
    a = np.argwhere(first.mask)[::3]
    b = np.argwhere(second.mask)[::3]
    return min(np.hypot(*(b - p).T).min() for p in a[:: max(1, len(a) // 60)])


def test_expressions_fit_one_object_only(every_scene):
    kinds = Counter()
    for k, scene in enumerate(every_scene):
        rng = generator("refer", k)
        for _ in range(3):
            said = refer(scene, rng)
            if said is None:
                continue
            words = parse(said.text)
            fitting = [i for i, o in enumerate(scene.objects) if fits(words, o, scene)]
            assert said.index in fitting
            if words["beside"]:
                (mark,) = [o for o in scene.objects if o.category == words["beside"]]
                gaps = {i: distance(scene.objects[i], mark) for i in fitting}
                assert min(gaps, key=lambda i: gaps[i]) == said.index
            else:
                assert fitting == [said.index], said.text
            kinds.update(key for key, word in words.items() if word)
    for word in ("colour", "size", "place", "beside"):
        assert kinds[word] > 0.03 * kinds["category"]


def test_every_object_asked_for_is_named_or_refused(every_scene):
    for k, scene in enumerate(every_scene[::5]):
        for index in range(len(scene.objects)):
            said = refer(scene, generator("each", k, index), index=index)
            assert said is None or said.index == index


def test_twins_cannot_be_told_apart(make_object, make_scene):
    # same class, colour and cell, no landmark
    scene = make_scene(make_object("ship", 5, 5), make_object("ship", 8, 20))
    assert refer(scene, generator(0)) is None


def test_a_border_case_gets_no_place_phrase(make_object, make_scene):
    # centre at x = 30 of 90 lies on the border of two cells
    ships = make_object("ship", 25, 40), make_object("ship", 70, 70)
    scene = make_scene(*ships)
    assert refer(scene, generator(0), index=0) is None
    assert parse(refer(scene, generator(0), index=1).text)["place"] == "lower right"


@pytest.mark.parametrize(("x", "named"), [(24, True), (34, False)])
def test_next_to_needs_a_near_and_a_clearly_far_object(make_object, make_scene, x, named):
    # the bridge ends at x = 15 of 90; NEAR is 6.3 px, FAR 14.4 px
    bridge = make_object("bridge", 5, 40)
    near, other = make_object("ship", 18, 40), make_object("ship", x, 40)
    said = refer(make_scene(bridge, near, other), generator(1), index=1)
    assert (said is not None and "next to" in said.text) is not named


def test_wording_varies_and_the_minimum_is_not_exceeded_by_two(make_object, make_scene):
    red, blue = make_object("ship", 5, 5, colour="red"), make_object("ship", 70, 70, colour="blue")
    scene = make_scene(red, blue)
    texts = {refer(scene, generator(k), index=0).text for k in range(80)}
    assert any(t.endswith(".") for t in texts)
    assert any(not t.endswith(".") for t in texts)
    assert {t.split()[0] for t in texts} >= {"The", "A", "the", "red"}
    # one attribute suffices, so at most two are named
    named = [parse(t) for t in texts]
    assert all(sum(bool(w[k]) for k in ("colour", "size", "place", "beside")) <= 2 for w in named)


def test_groups_hold_every_match(every_scene):
    for k, scene in enumerate(every_scene):
        group = refer_group(scene, generator("group", k))
        if group is None:
            assert not scene.objects
            continue
        phrase, along = group.phrase.removesuffix(" along the road"), "along" in group.phrase
        found = [
            i for i, o in enumerate(scene.objects)
            if phrase.removesuffix(" area") in (o.category, f"{o.colour} {o.category}")
            or phrase == o.category
        ]  # fmt: skip
        assert set(group.indices) < set(found) if along else list(group.indices) == found


def test_descriptions_tie_each_phrase_to_its_objects(every_scene):
    numbers = {"two": 2, "three": 3, "four": 4}
    for k, scene in enumerate(every_scene):
        told = describe(scene, generator("describe", k))
        tagged = re.findall(r"<p> (.*?) </p> \[SEG\]", told.text)
        assert tuple(tagged) == told.phrases
        assert told.text.count("[SEG]") == len(told.groups) == len(told.phrases)
        for phrase, group in zip(told.phrases, told.groups, strict=True):
            first = phrase.split()[0]
            count = {"a": 1, "an": 1}.get(first, numbers.get(first))
            assert count == len(group) if count else len(group) > 4
            (category,) = {scene.objects[i].category for i in group}
            assert category in phrase


def test_each_family_speaks_fewer_than_120_words(many_scenes):
    for scenes in many_scenes.values():
        words = set()
        for k, scene in enumerate(scenes):
            rng = generator("words", k)
            kinds = ("presence", "comp", "count", "area", "rural_urban")
            texts = [q.text for q in questions(scene, rng, n=10, kinds=kinds)]
            texts.append(describe(scene, rng).text)
            said, group = refer(scene, rng), refer_group(scene, rng)
            texts += [said.text if said else "", group.phrase if group else ""]
            for text in texts:
                words |= set(re.findall(r"[a-z]+", text.lower()))
        assert 40 < len(words) < 120
