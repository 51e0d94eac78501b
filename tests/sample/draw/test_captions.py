import re
from collections import Counter
from itertools import pairwise

from geomag.sample.draw.language import captions
from geomag.sample.draw.places import PLACE_KINDS, draw_place
from geomag.sample.draw.scene import draw_objects
from geomag.seeds import generator


def captions_of(kind, seed):
    rng = generator("caption", kind, seed)
    scene = draw_place(rng, kind, width=128, height=128)
    return scene, captions(scene, rng)


def bigrams(sentences):
    words = [re.findall(r"[a-z]+", s.lower()) for s in sentences]
    return Counter(pair for w in words for pair in pairwise(w))


def test_five_sentences_with_a_blank_before_the_period():
    for kind in PLACE_KINDS:
        _, sentences = captions_of(kind, 0)
        assert len(sentences) == 5
        assert all(re.fullmatch(r"[A-Z][a-z ]+ \.", s) for s in sentences)


def test_captions_tell_the_kind():
    """The kind whose captions share most words with a new one is nearly always its own."""
    known = {kind: bigrams(captions_of(kind, 1)[1]) for kind in PLACE_KINDS}
    right = 0
    for kind in PLACE_KINDS:
        new = bigrams(captions_of(kind, 2)[1])
        best = max(known, key=lambda k: sum((known[k] & new).values()))
        right += best == kind
    assert right >= 0.95 * len(PLACE_KINDS)


def test_numbers_are_those_of_the_picture():
    spoken = {"a": 1, "an": 1, "two": 2, "three": 3, "four": 4}
    checked = 0
    for seed in range(12):
        scene, sentences = captions_of("airport", seed)
        planes = sum(o.category == "airplane" for o in scene.objects)
        for sentence in sentences:
            if m := re.match(r"There (?:is|are) (\w+) airplanes? ", sentence):
                assert spoken.get(m[1], 5) == planes or (m[1] == "many" and planes > 4)
                checked += 1
    assert checked > 5


def test_repeats_and_typos_occur_as_in_the_originals():
    every = [captions_of(kind, seed)[1] for kind in PLACE_KINDS for seed in range(4)]
    repeats = sum(len(set(s)) < 5 for s in every) / len(every)
    assert 0.15 < repeats < 0.7
    words = Counter(w for s in every for t in s for w in t.split())
    assert 0 < words["snad"] < words["sand"]


def test_captions_use_fewer_than_250_words():
    every = [captions_of(kind, seed)[1] for kind in PLACE_KINDS for seed in range(3)]
    assert len({w.lower() for s in every for t in s for w in t.split()}) < 250


def test_a_scene_of_objects_is_captioned_by_its_objects(make_object, make_scene):
    scene = make_scene(make_object("ship", 5, 5), make_object("ship", 40, 40))
    assert "There are two ships seen from above ." in captions(scene, generator(0))
    assert len(captions(draw_objects(generator(3)), generator(3))) == 5
