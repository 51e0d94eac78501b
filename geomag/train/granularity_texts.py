"""Queries that teach the Task Granularity Classifier, by template, so that some are held out.

RSVQA and segmentation prompts come from few templates; a random split of filled texts would put
the same wording on both sides and measure nothing (model protocol 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from geomag.data.benchmarks import BENCHMARKS, Granularity, Task
from geomag.data.prompts import SHORT_SCENE, TRAINING
from geomag.seeds import generator

Part = Literal["train", "val", "test"]

NOUNS = (
    "ship", "airplane", "car", "truck", "bus", "building", "house", "tree", "road", "bridge",
    "storage tank", "tennis court", "basketball court", "baseball field", "harbor", "dam",
    "chimney", "windmill", "stadium", "golf field", "train station", "overpass", "pond", "field",
    "parking lot", "swimming pool", "roundabout", "runway", "crane", "container",
)  # fmt: skip
COLOURS = ("red", "blue", "white", "grey", "black", "green", "yellow", "orange", "brown")
SIZES = ("small", "large", "tiny", "big", "long")
PLACES = ("left", "right", "top", "bottom", "upper left", "lower right", "middle", "centre")
SCENES = (
    "airport", "bare land", "beach", "commercial area", "dense residential", "desert", "farmland",
    "forest", "industrial area", "meadow", "mountain", "park", "port", "river", "school", "square",
)  # fmt: skip

_CAPTION = (
    "Give one sentence that sums up this picture.",
    "What does this image show?",
    "Caption this remote sensing image.",
    "Provide a brief caption.",
    "What can be seen here overall?",
    "Tell me about this scene in a sentence.",
    "Write a caption for the aerial photo.",
    "Describe the scene.",
    "In a few words, what is this satellite image about?",
    "Give me an overview of the image.",
    "Generate a short caption for the picture.",
    "Can you describe the picture briefly?",
    "Summarise what is visible from above.",
    "Please provide a one-sentence description.",
    "State the main content of the image.",
    "How would you describe this view?",
    "What is shown in the photograph?",
    "Briefly explain what we are looking at.",
    "Compose a sentence describing the aerial image.",
    "What is happening in this picture?",
    "Characterise the area in one line.",
    "Give the gist of the image.",
    "Sum up the content of this remote sensing image.",
    "Write down what the image as a whole depicts.",
    "Describe the overall layout of the area.",
    "Please caption this photo.",
    "Describe what you see from above in a sentence.",
    "Express the main theme of this image.",
    "Offer a short summary of the view.",
    "What would be a good title for this image?",
)
_SCENE = (
    SHORT_SCENE.format(x="land cover"),
    "What type of scene is this?",
    "Which category does this image belong to?",
    "Classify this scene.",
    "What kind of land use does the image show?",
    "Choose the best label for this image: {classes}.",
    "Select one category for the scene from {classes}.",
    "Is the scene {classes}?",
    "Assign this aerial image to a class.",
    "What is the land cover class of the whole picture?",
    "Label the scene.",
    "Name the type of place.",
    "Which of the following is it: {classes}?",
    "What place was photographed from above?",
    "Decide which scene category fits: {classes}.",
    "Tell me the scene category.",
    "What sort of area is this?",
    "Identify the scene type of the remote sensing image.",
    "The image shows one of {classes}. Which one?",
    "Perform scene classification.",
)
_VQA = (
    "Is a {thing} present?",
    "Is there a {thing} in the image?",
    "Are there any {things}?",
    "Does the image contain a {thing}?",
    "Can you see a {thing}?",
    "How many {things} are there?",
    "What is the number of {things}?",
    "Count the {things}.",
    "Are there more {things} than {others}?",
    "Are there less {things} than {others} in the image?",
    "Is the number of {things} equal to the number of {others}?",
    "Do the {things} outnumber the {others}?",
    "What is the area covered by {things}?",
    "How much ground do the {things} cover?",
    "Is it a rural or an urban area",
    "Is this an urban or a rural area?",
    "Is there a {thing} next to  a {other}?",
    "Is there a {thing} on the left of a {other}?",
    "Is a {thing} at the {place} of a {other}?",
    "What colour is the {noun} at the {place}?",
    "Is the {noun} at the {place} {colour}?",
    "Which is larger, the {noun} or the {other}?",
    "What lies beside the {noun} at the {place}?",
    "Is any {noun} near the {other}?",
    "Are all {things} {colour}?",
    "Does a {thing} exist here?",
    "Is a {noun} visible at the {place}?",
    "Is there at least one {thing}?",
    "Do you see {things} next to a {other}?",
    "What is the count of {things}?",
    "Tell me how many {things} you find.",
    "Are there fewer {things} than {others}?",
    "Is there the same number of {things} and {others}?",
    "Which are more frequent, {things} or {others}?",
    "How large is the area of the {things}?",
    "What stands on the left of the {thing}?",
    "What is the colour of the {noun} near the {other}?",
    "How many {things} lie on the right of the {other}?",
    "Is the {noun} to the right of the {other}?",
    "Is the {thing} next to the {other}?",
    "Where is the {noun}, on the left or on the right of the {other}?",
    "Is the image free of {things}?",
)
_ROC = (
    "What is in the region {box}?",
    "Identify the object at {box}.",
    "Classify the object inside the bounding box {box}.",
    "Which category has the object located at {box}?",
    "Tell me what stands in {box}.",
    "{box} What is this object?",
    "Give the class of the region {box}.",
    "What kind of object does the rectangle {box} hold?",
    "Look at {box} and name the object.",
    "[identify] {box}",
    "Recognise the thing bounded by {box}.",
    "What object is at the coordinates {box}?",
)
_REFERRING = (
    "Can you segment {phrase} in this image?",
    "Please segment {phrase}.",
    "What is {phrase} in this image? Output the mask.",
    "Give me the segmentation mask of {phrase}.",
    "Outline {phrase}.",
    "Draw the mask of {phrase}.",
    "Could you provide a mask for {phrase}?",
    "Delineate {phrase}.",
    "Find {phrase} and return its mask.",
    "Highlight all pixels of {phrase}.",
    "I need the exact shape of {phrase}.",
    "Cut out {phrase}.",
    "Trace the boundary of {phrase}.",
    "Which pixels belong to {phrase}?",
    "[segment] {phrase}",
    "Extract {phrase} as a binary mask.",
    "Segment out {phrase} for me.",
    "Locate {phrase} and mark it pixel by pixel.",
    "Show where {phrase} is with a segmentation.",
    "Map the extent of {phrase} as a mask.",
    "Mark {phrase}.",
    "Produce a pixel mask covering {phrase}.",
    "Separate {phrase} from the background.",
    "Return a segmentation of {phrase}.",
    "Where exactly is {phrase}? Draw its outline.",
    "Paint over {phrase}.",
    "What are the pixels of {phrase}?",
    "Isolate {phrase} with a precise mask.",
    "Mask {phrase}.",
    "Show me {phrase} as a mask.",
)
_GCG = (
    "Please describe the image and output interleaved masks for the phrases.",
    "Give a thorough description of the scene with segmentation masks in between.",
    "Describe the objects in detail and add a mask to each of them.",
    "Narrate the picture, with a segmentation mask for every object mentioned.",
    "Could you explain the scene and segment the objects you talk about?",
    "Write a grounded caption, interleaving masks with the text.",
    "Provide a detailed caption and a mask for each phrase.",
    "Describe everything you see and respond with interleaved segmentation masks.",
    "Caption the image with a mask behind every phrase.",
    "Explain what is visible and segment each thing you name.",
    "Give a full description, and masks for all the objects in it.",
    "Summarize the scene with interleaved masks.",
)

_AROUND: dict[Part, tuple[str, ...]] = {
    "train": ("{x}", "{x}", "Please look at the image. {x}", "{x} Thanks.", "Question: {x}"),
    "val": ("{x}", "{x} Be brief.", "Hello. {x}"),
    "test": ("{x}", "{x} Keep it short.", "From this picture: {x}"),
}
"""What stands around a query, whatever its task; each part has its own."""

_SUBJECT = {Task.REFERRING: "{phrase}", Task.ROC: "{box}", Task.SCENE: "{classes}"}


@dataclass(frozen=True, slots=True)
class Template:
    """One wording of one task."""

    text: str
    task: Task
    part: Part

    @property
    def granularity(self) -> Granularity:
        """G, as the benchmarks of its task have it."""
        return _LEVEL[self.task]


_LEVEL = {b.task: b.granularity for b in BENCHMARKS.values()}
_OWN: dict[Task, tuple[str, ...]] = {
    Task.CAPTION: _CAPTION,
    Task.SCENE: _SCENE,
    Task.VQA: _VQA,
    Task.ROC: _ROC,
    Task.REFERRING: _REFERRING,
    Task.GCG: _GCG,
}


def templates(seed: int) -> list[Template]:
    """All wordings with the part each belongs to: of our own, 3/5 train, 1/5 val, 1/5 test.

    The prompts that the model is trained and evaluated with (`geomag.data.prompts`) are always in
    the train part: they must be right, and say nothing about the wordings of others.
    """
    parts: tuple[Part, ...] = ("test", "val", "train", "train", "train")
    found = []
    for task, own in _OWN.items():
        if task is not Task.VQA:  # its prompts stand around a question: `_fill_once`
            used = (text.replace("{x}", _SUBJECT.get(task, "")) for text in TRAINING[task])
            found += [Template(text, task, "train") for text in used]
        order = generator(seed, "templates", task).permutation(len(own))
        found += [
            Template(own[int(index)], task, parts[rank % 5]) for rank, index in enumerate(order)
        ]
    return found


def fill(template: Template, seed: int, n: int) -> list[str]:
    """Up to ``n`` different texts of a template, a function of the seed and the template alone."""
    rng = generator(seed, "fill", template.text)
    return list(dict.fromkeys(_fill_once(template, rng) for _ in range(n)))


def _fill_once(template: Template, rng: np.random.Generator) -> str:
    text = template.text.format(
        noun=_pick(rng, NOUNS),
        other=_pick(rng, NOUNS),
        others=_plural(_pick(rng, NOUNS)),
        thing=_thing(rng),
        things=_plural(_thing(rng)),
        colour=_pick(rng, COLOURS),
        place=_pick(rng, PLACES),
        phrase=_phrase(rng),
        box=_box(rng),
        classes=_classes(rng),
    )
    around = _AROUND[template.part]
    if template.task is Task.VQA and template.part == "train":
        around += TRAINING[Task.VQA]
    return _pick(rng, around).format(x=text)


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _classes(rng: np.random.Generator) -> str:
    count = int(rng.integers(3, len(SCENES) + 1))
    return ", ".join(SCENES[int(i)] for i in rng.permutation(len(SCENES))[:count])


def _plural(noun: str) -> str:
    return f"{noun}es" if noun.endswith(("s", "x")) else f"{noun}s"


def _thing(rng: np.random.Generator) -> str:
    adjective = _pick(rng, (*SIZES, *COLOURS)) if rng.random() < 0.5 else ""
    return f"{adjective} {_pick(rng, NOUNS)}".strip()


def _phrase(rng: np.random.Generator) -> str:
    place = (
        "",
        f" on the {_pick(rng, PLACES)}",
        f" next to the {_pick(rng, NOUNS)}",
        f" in the {_pick(rng, PLACES)} of the image",
        f" between the {_pick(rng, NOUNS)} and the {_pick(rng, NOUNS)}",
    )
    return _pick(rng, ("the ", "a ", "The ", "", "all ")) + _thing(rng) + _pick(rng, place)


def _box(rng: np.random.Generator) -> str:
    x0, y0 = rng.uniform(0, 0.7, 2)
    x1, y1 = x0 + rng.uniform(0.05, 0.3), y0 + rng.uniform(0.05, 0.3)
    return f"[{x0:.2f}, {y0:.2f}, {x1:.2f}, {y1:.2f}]"
