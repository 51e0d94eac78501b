import hashlib
import os
import subprocess
import sys
from collections import Counter

import cv2
import numpy as np
import pytest

from geomag.geometry import box_of_mask
from geomag.sample.draw.categories import DIOR, LAND_USE
from geomag.sample.draw.palette import COLOURS
from geomag.sample.draw.scene import draw_objects, size_words
from geomag.seeds import generator

DIGEST = """
import hashlib
from geomag.sample.draw.places import draw_place
from geomag.sample.draw.scene import draw_objects
from geomag.seeds import generator
total = hashlib.sha256()
harbor = draw_place(generator(2), "harbor", width=256, height=256)
for scene in (draw_objects(generator(1)), harbor):
    total.update(scene.image.tobytes())
    total.update(repr([(o.category, o.colour, o.size, o.polygons) for o in scene.objects]).encode())
print(total.hexdigest())
"""


def digest_of(scene):
    masks = b"".join(np.packbits(o.mask).tobytes() for o in scene.objects)
    return hashlib.sha256(scene.image.tobytes() + masks).hexdigest()


def test_a_scene_depends_on_its_generator_alone():
    first, again = draw_objects(generator("a")), draw_objects(generator("a"))
    assert digest_of(first) == digest_of(again)
    assert digest_of(first) != digest_of(draw_objects(generator("b")))


def test_two_processes_draw_the_same_bytes():
    runs = [
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert len(runs[0].strip()) == 64
    assert runs[0] == runs[1]


def test_filling_the_polygons_gives_the_mask(every_scene):
    for scene in every_scene:
        for item in scene.objects:
            canvas = np.zeros(item.mask.shape, np.uint8)
            cv2.fillPoly(canvas, [np.array(p, np.int32) for p in item.polygons], 1)
            assert (canvas.astype(bool) == item.mask).all()


def test_masks_are_disjoint_and_boxes_tight(every_scene):
    for scene in every_scene:
        total = np.zeros(scene.image.shape[:2], int)
        for item in scene.objects:
            total += item.mask
            assert item.box == box_of_mask(item.mask)
        assert total.max(initial=0) <= 1


def test_objects_stay_mostly_visible():
    """What later objects hide is rejected before it is drawn, not dropped from the list."""
    from geomag.sample.draw import scene as module
    from geomag.sample.draw.canvas import Canvas
    from geomag.sample.draw.textures import ground

    for seed in range(40):
        rng = generator("visible", seed)
        canvas = Canvas(ground(rng, "grass", width=224, height=224), "grass")
        for category in module._cast(rng, tuple(LAND_USE), 16):
            module._add_object(rng, canvas, category, water_pads=False)
        for index, item in enumerate(canvas.items):
            assert np.count_nonzero(canvas.visible(index)) >= 0.7 * item.area


def test_place_is_the_cell_of_the_box_centre(every_scene):
    rows, columns = ("upper", "", "lower"), ("left", "", "right")
    single = {"": "center", "upper": "top", "lower": "bottom", "left": "left", "right": "right"}
    for scene in every_scene:
        height, width = scene.image.shape[:2]
        for item in scene.objects:
            ys, xs = np.nonzero(item.mask)
            row = rows[int((ys.min() + ys.max() + 1) / 2 / height * 3)]
            column = columns[int((xs.min() + xs.max() + 1) / 2 / width * 3)]
            expected = f"{row} {column}" if row and column else single[row or column]
            assert item.place == expected


def test_colours_can_be_seen_and_differ_from_the_ground(many_scenes):
    """The median pixel of plainly coloured classes is nearest to its colour word."""
    seen = Counter()
    for scene in many_scenes["dior"] + many_scenes["land use"]:
        for item in scene.objects:
            if item.category in ("storage tank", "trailer", "van"):
                median = np.median(scene.image[item.mask], axis=0)
                nearest = min(COLOURS, key=lambda c: np.abs(median - COLOURS[c]).sum())
                seen[nearest == item.colour] += 1
    assert seen[True] > 100
    assert seen[False] <= 0.03 * seen[True]


def test_half_of_the_scenes_hold_distractors_and_sizes_spread(many_scenes):
    scenes = many_scenes["dior"]
    repeated = sum(len({o.category for o in s.objects}) < len(s.objects) for s in scenes)
    assert 0.45 <= repeated / len(scenes) <= 0.85
    shares = [o.mask.mean() for s in scenes for o in s.objects]
    assert 0.015 < np.mean(shares) < 0.06
    assert np.percentile(shares, 10) < 0.004
    assert {o.category for s in scenes for o in s.objects} == set(DIOR)


def test_an_empty_or_full_request_is_honoured_in_number():
    scene = draw_objects(generator("n"), n_objects=(1, 1), categories=["ship"])
    assert [o.category for o in scene.objects] == ["ship"]
    assert scene.pool == ("ship",)


@pytest.mark.parametrize(
    ("areas", "expected"),
    [
        # widest gap splits a class: 300 / 150 = 2.0
        ([("ship", 100), ("ship", 150), ("ship", 300)], ["small", "small", "large"]),
        # no clear gap, and neither all tiny nor all huge
        ([("ship", 1000), ("ship", 1200)], ["", ""]),
        # one under and one over 0.3 % of 100,000, but alike: nobody is small
        ([("ship", 280), ("ship", 320)], ["", ""]),
        ([("ship", 280), ("ship", 290)], ["small", "small"]),
        ([("dam", 4001)], ["large"]),
        ([("dam", 4000)], [""]),
        # classes are not compared with each other
        ([("dam", 2000), ("ship", 1000)], ["", ""]),
    ],
)
def test_size_words_by_hand(areas, expected):
    assert size_words(areas, pixels=100_000) == expected
