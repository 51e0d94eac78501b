import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from geomag.sample.draw.categories import CATEGORIES
from geomag.sample.draw.language import questions
from geomag.sample.draw.palette import COLOURS
from geomag.seeds import generator

KINDS = ("presence", "comp", "count", "area", "rural_urban")


def asked(scenes, *, n=15, kinds=KINDS):
    return [
        (scene, question)
        for k, scene in enumerate(scenes)
        for question in questions(scene, generator("ask", k), n=n, kinds=kinds)
    ]


def category_of(words):
    names = {}
    for name in CATEGORIES:
        shown = f"{name} area" if name in ("water", "low vegetation") else name
        names |= {shown: name, shown + "s": name}
    return names[words]


def members(words, scene):
    """Objects that "small red ships" means."""
    kept = list(scene.objects)
    first, _, rest = words.partition(" ")
    if first in ("small", "large"):
        kept, words = [o for o in kept if o.size == first], rest
        first, _, rest = words.partition(" ")
    if first in COLOURS:
        kept, words = [o for o in kept if o.colour == first], rest
    name = category_of(words)
    return [o for o in kept if o.category == name]


def recount(scene, question):
    """The answer again, from the text and the objects alone; None for relations."""
    text = re.sub(r" +", " ", question.text.replace(" in the image", "")).rstrip("?")
    if text == "Is it a rural or an urban area":
        towns = sum(o.category == "building" for o in scene.objects)
        return "urban" if towns >= 3 else "rural"
    if m := re.fullmatch(r"Are there (more|less) (.+) than (.+)", text):
        a, b = len(members(m[2], scene)), len(members(m[3], scene))
        return "yes" if (a > b if m[1] == "more" else a < b) else "no"
    if m := re.fullmatch(r"Is the number of (.+) equal to the number of (.+)", text):
        return "yes" if len(members(m[1], scene)) == len(members(m[2], scene)) else "no"
    if m := re.fullmatch(r"(?:How many (.+) are there|What is the number of (.+))", text):
        return str(len(members(m[1] or m[2], scene)))
    if m := re.fullmatch(r"What is the area covered by (.+)", text):
        union = np.zeros(scene.image.shape[:2], bool)
        for item in members(m[1], scene):
            union |= item.mask
        return f"{round(int(union.sum()) * 0.1524 * 0.1524)}m2"
    if m := re.fullmatch(r"Is there an? (.+) on the (left|right) of an? (.+)", text):
        pairs = [(a, b) for a in members(m[1], scene) for b in members(m[3], scene)]
        ahead = [(a.box.x0 + a.box.x1) - (b.box.x0 + b.box.x1) for a, b in pairs]
        return "yes" if any(d < 0 if m[2] == "left" else d > 0 for d in ahead) else "no"
    if " next to " in text:
        return None
    m = re.fullmatch(r"Is (?:there )?an? (.+?)(?: present)?", text)
    assert m, question.text
    return "yes" if members(m[1], scene) else "no"


def test_answers_agree_with_a_recount(every_scene):
    checked = Counter()
    for scene, question in asked(every_scene):
        again = recount(scene, question)
        if again is not None:
            assert again == question.answer, question
            checked[question.kind] += 1
    assert all(checked[kind] > 200 for kind in KINDS)


def test_next_to_is_a_matter_of_the_gap(make_object, make_scene):
    bridge = make_object("bridge", 5, 40)
    answers = {}
    for x in (18, 60):  # 3 px and 45 px away from the bridge, of 90
        scene = make_scene(bridge, make_object("ship", x, 40))
        for k in range(300):
            for q in questions(scene, generator(k), n=1, kinds=("presence",)):
                if "next to" in q.text:
                    answers.setdefault(x, set()).add(q.answer)
    assert answers == {18: {"yes"}, 60: {"no"}}


def test_majority_is_near_sixty_percent(many_scenes):
    for scenes in many_scenes.values():
        answers = defaultdict(Counter)
        for _, question in asked(scenes, kinds=("presence", "comp")):
            answers[question.kind][question.answer] += 1
        for kind in ("presence", "comp"):
            share = answers[kind]["no"] / answers[kind].total()
            assert 0.52 < share < 0.68


def test_the_text_alone_does_not_give_the_answer(many_scenes):
    """Answering by the most frequent answer to the same words gains little on the majority."""
    for scenes in many_scenes.values():
        seen = defaultdict(Counter)
        for k, (_, question) in enumerate(asked(scenes, n=60, kinds=("presence", "comp"))):
            key = re.sub(r" +", " ", question.text.replace(" in the image", ""))
            seen[key, k % 2][question.answer] += 1
        right = total = 0
        for (key, half), counts in seen.items():
            if half == 1 and (known := seen.get((key, 0))):
                right += counts[known.most_common(1)[0][0]]
                total += counts.total()
        assert total > 1500
        assert right / total < 0.72


def test_quirks_of_the_originals_are_kept(many_scenes):
    texts = [q.text for _, q in asked(many_scenes["land use"], n=40)]
    assert {t for t in texts if "rural" in t} == {"Is it a rural or an urban area"}
    assert 0.02 < sum("  " in t for t in texts if t.startswith("Is there")) / len(texts) < 0.1
    assert 0.05 < sum(" in the image" in t for t in texts) / len(texts) < 0.15
    assert all(t.endswith("?") for t in texts if "rural" not in t)


def test_town_and_country_are_about_even(many_scenes):
    answers = Counter(
        q.answer for _, q in asked(many_scenes["land use"], n=1, kinds=("rural_urban",))
    )
    assert 0.35 < answers["urban"] / answers.total() < 0.65


def test_an_unknown_kind_is_refused(make_scene):
    with pytest.raises(KeyError):
        questions(make_scene(), generator(0), n=1, kinds=("colour",))
