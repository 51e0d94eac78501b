"""Scenes of its own for the base stage: images at the models' input sides, lessons, masks.

No benchmark image or annotation enters here; the paper profile loads LLaVA and SAM2 instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from geomag.data.benchmarks import Task
from geomag.data.benchmarks.aid.spec import AID_CLASSES
from geomag.data.benchmarks.resisc45.spec import RESISC45_CLASSES
from geomag.data.prompts import EVALUATION, PROBE, TRAINING, box_text, short_scene
from geomag.data.wording import Question
from geomag.geometry import PixelBox
from geomag.sample.draw.captions import captions
from geomag.sample.draw.categories import LAND_USE
from geomag.sample.draw.language import describe, refer
from geomag.sample.draw.places import PLACE_KINDS, draw_place, place_of
from geomag.sample.draw.questions import questions
from geomag.sample.draw.scene import Scene, SceneObject, draw_objects
from geomag.sample.pretrain.dense import CATEGORIES, LABELS, DenseLabels, dense_labels
from geomag.sample.pretrain.sam import SegmentationScene
from geomag.seeds import generator

SIZES_PX = (256, 320)
N_OBJECTS = (3, 12)
"""More than the benchmarks show: each object is a lesson, background teaches little."""
PLACE_SHARE = 0.25
LAND_SHARE = 0.3
LAND = (*LAND_USE, "bridge", "storage tank", "stadium", "tennis court", "baseball field")
N_QUESTIONS, N_LAND_QUESTIONS = 8, 16
"""A question of yes or no teaches little, so there are many."""
WINDOWS = (0.25, 0.34, 0.42, 0.5, 0.67)
WHERE = (PROBE["where"], EVALUATION[Task.REFERRING])
"""Wordings that ask for a place; LLaVA cannot draw, so it answers in words."""
PLAIN_SHARE = 0.6
"""Share of lessons in the wording that evaluation uses."""
GCG_TAGS = ("<p> ", " </p>", " [SEG]")


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question about a scene, its answer, and where to look."""

    prompt: str
    answer: str
    targets: tuple[int, ...] = ()
    """Indices of the objects it is about; empty when it is about the whole scene."""
    names: tuple[int, ...] = ()
    """Labels (`base_dense`) that the question names."""
    centre: tuple[float, float] | None = None
    """Centre, in [0, 1], of the box that the question gives."""


@dataclass(frozen=True, slots=True)
class BaseScene:
    """One drawn scene at the sides the models take."""

    whole: NDArray[np.uint8]
    """``[V, V, 3]`` at the VLM's side."""
    crop: NDArray[np.uint8]
    """``[V, V, 3]``: a window around one of its objects (or anywhere)."""
    crop_box: tuple[float, float, float, float]
    """The window in [0, 1] of the scene."""
    segmentation: SegmentationScene
    labels: DenseLabels
    lessons: tuple[Lesson, ...]


def draw_base_scene(seed: int, index: int, *, vlm_px: int, encoder_px: int) -> BaseScene:
    """The ``index``-th scene: objects with referring, box and question lessons, or a place."""
    rng = generator(seed, "base", index)
    side = int(rng.choice(SIZES_PX))
    share = rng.random()
    if share < PLACE_SHARE:
        kind = PLACE_KINDS[int(rng.integers(len(PLACE_KINDS)))]
        scene = draw_place(rng, kind, width=side, height=side)
        lessons = _place_lessons(scene, rng)
    else:
        land = LAND if share < PLACE_SHARE + LAND_SHARE else None
        scene = draw_objects(rng, width=side, height=side, n_objects=N_OBJECTS, categories=land)
        lessons = _object_lessons(scene, rng)
    box = _window(scene, rng)
    x0, y0, x1, y1 = (int(v) for v in (box.x0, box.y0, box.x1, box.y1))
    return BaseScene(
        whole=_resized(scene.image, vlm_px),
        crop=_resized(scene.image[y0:y1, x0:x1], vlm_px),
        crop_box=(box.x0 / side, box.y0 / side, box.x1 / side, box.y1 / side),
        segmentation=SegmentationScene(
            _resized(scene.image, encoder_px), _small_masks(scene.objects, encoder_px // 2)
        ),
        labels=dense_labels(scene, encoder_px // 4),
        lessons=tuple(lessons),
    )


def corpus(scenes: Sequence[BaseScene]) -> list[str]:
    """Texts for the tokenizer: every lesson, every wording, every two-decimal number."""
    texts = [f"{lesson.prompt} {lesson.answer}" for scene in scenes for lesson in scene.lessons]
    wordings = [t.replace("{x}", "") for task in Task for t in TRAINING[task]]
    numbers = [f"0.{n:02d}, 0.{n:02d}" for n in range(100)] * 20
    return [*texts, *wordings * 20, *numbers, "USER: ASSISTANT:"]


def _object_lessons(scene: Scene, rng: np.random.Generator) -> list[Lesson]:
    height, width = scene.image.shape[:2]
    lessons = []
    for index, thing in enumerate(scene.objects):
        x = _centre(thing.box.x0, thing.box.x1, width)
        y = _centre(thing.box.y0, thing.box.y1, height)
        if (expression := refer(scene, rng, index=index)) is not None:
            phrase = expression.text.removesuffix(".").rstrip()
            asked = WHERE[int(rng.integers(len(WHERE)))].format(x=phrase)
            lessons.append(Lesson(asked, thing.place, (index,), names=_named(phrase)))
        box = box_text(thing.box, width=width, height=height)
        asked = _wording(Task.ROC, rng).format(x=box)
        lessons.append(Lesson(asked, thing.category, (index,), centre=(float(x), float(y))))
    n = N_LAND_QUESTIONS if scene.pool == LAND else N_QUESTIONS
    for question in questions(scene, rng, n=n, kinds=("presence", "comp")):
        lessons.append(_asked(scene, question, rng))
    plain = describe(scene, rng).text
    for tag in GCG_TAGS:
        plain = plain.replace(tag, "")
    lessons.append(Lesson("Describe this image in detail.", plain))
    return lessons


def _asked(scene: Scene, question: Question, rng: np.random.Generator) -> Lesson:
    """A question as a lesson; its targets are the objects of the classes and colours it names."""
    names = _named(question.text)
    classes = {LABELS[i] for i in names if i < len(CATEGORIES)}
    colours = {LABELS[i] for i in names if i >= len(CATEGORIES)}
    targets = tuple(
        index
        for index, thing in enumerate(scene.objects)
        if thing.category in classes and (not colours or thing.colour in colours)
    )
    prompt = _wording(Task.VQA, rng).format(x=question.text)
    return Lesson(prompt, question.answer, targets, names=names)


def _place_lessons(scene: Scene, rng: np.random.Generator) -> list[Lesson]:
    lessons = [Lesson(_wording(Task.CAPTION, rng), text) for text in captions(scene, rng)]
    for benchmark, classes in (("aid", AID_CLASSES), ("resisc45", RESISC45_CLASSES)):
        fitting = [name for name in classes.values() if place_of(name) == scene.kind]
        if fitting:
            lessons.extend([Lesson(short_scene(benchmark), str(rng.choice(fitting)))] * 2)
    for question in questions(scene, rng, n=2, kinds=("rural_urban",)):
        lessons.append(Lesson(_wording(Task.VQA, rng).format(x=question.text), question.answer))
    return lessons


def _named(phrase: str) -> tuple[int, ...]:
    """Labels whose words stand in a phrase."""
    words = phrase.lower()
    return tuple(i for i, label in enumerate(LABELS) if label in words)


def _wording(task: Task, rng: np.random.Generator) -> str:
    if rng.random() < PLAIN_SHARE:
        return EVALUATION[task]
    wordings = TRAINING[task]
    return wordings[int(rng.integers(len(wordings)))]


def _centre(low: float, high: float, side: int) -> str:
    return f"{min(0.99, (low + high) / 2 / side):.2f}"


def _window(scene: Scene, rng: np.random.Generator) -> PixelBox:
    """A square window that holds one object's centre, or any where there is none."""
    side = scene.image.shape[0]
    size = max(32, round(side * float(rng.choice(WINDOWS))))
    x, y = rng.uniform(0, side, 2)
    if scene.objects:
        thing = scene.objects[int(rng.integers(len(scene.objects)))].box
        x, y = (thing.x0 + thing.x1) / 2, (thing.y0 + thing.y1) / 2
    x0 = int(np.clip(x - rng.uniform(0.25, 0.75) * size, 0, side - size))
    y0 = int(np.clip(y - rng.uniform(0.25, 0.75) * size, 0, side - size))
    return PixelBox(x0, y0, x0 + size, y0 + size)


def _resized(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    shrink = image.shape[0] > side
    how = cv2.INTER_AREA if shrink else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (side, side), interpolation=how), dtype=np.uint8)


def _small_masks(objects: Sequence[SceneObject], side: int) -> NDArray[np.bool_]:
    """Masks ``[n, side, side]``: cells that an object covers at least half."""
    masks = [
        cv2.resize(o.mask.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA) >= 0.5
        for o in objects
    ]
    return np.stack(masks) if masks else np.zeros((0, side, side), dtype=bool)
