"""GeoPixelD as it is downloaded and cut (protocols/gcg#files): a JSON beside each PNG patch."""

from pathlib import Path
from typing import Any

import numpy as np

from geomag.data.benchmarks import Split
from geomag.data.layouts.encode import packable, write_compact_json, write_png
from geomag.sample.draw.language import describe
from geomag.sample.draw.scene import Scene, draw_objects
from geomag.sample.layouts.plan import PLANS
from geomag.seeds import generator

ISAID_LIKE = (
    *("airplane", "ship", "storage tank", "baseball field", "tennis court", "basketball court"),
    *("ground track field", "harbor", "bridge", "vehicle"),
)
"""Classes that iSAID, whose images GeoPixelD describes, shares with DIOR."""

_PATCHES = ((0, 0), (0, 1), (1, 0))
"""Row and column of the patches of one source image that have an annotation."""
_BARE_EVERY = 10
"""Every tenth source has a fourth patch without JSON, as most cut patches have none."""

PROMPTS = (
    "Describe this picture in detail and mark every phrase with its mask.",
    "What does this image show? Interleave your answer with segmentation masks.",
    "Give a full account of the scene, with a mask for each thing you name.",
    "Write a description of the image and ground its phrases in masks.",
    "Please explain what can be seen here and segment what you mention.",
    "Tell me about this aerial view, adding masks for the parts you describe.",
    "Summarise the scene thoroughly; respond with interleaved masks.",
    "Could you describe this image and outline the objects you speak of?",
    "Report what is in the picture, each phrase followed by its mask.",
)
"""Nine human turns of our own wording, as the real conversation list draws from nine."""


def write_geopixeld(root: Path, *, seed: int, scale: float) -> dict[Split, int]:
    """Write ``GeoPixelD/``; returns annotated patches per split (there is no val split)."""
    base = root / "GeoPixelD"
    counts: dict[Split, int] = {}
    turns: list[dict[str, Any]] = []
    for split in PLANS["geopixeld"].splits(scale):
        number = counts.get(split, 0)
        counts[split] = number + 1
        rng = generator(seed, "geopixeld", split, number)
        source, patch = divmod(number, len(_PATCHES))
        stem = _stem(split, source, *_PATCHES[patch])
        annotation = _annotated(base / str(split), stem, rng)
        img = f"data/GeoPixelD/{split}/{stem}.png" if number % 2 else f"{stem}.png"
        record = {"id": number, "img": img, **annotation}
        write_compact_json(base / str(split) / f"{stem}.json", record)
        if split is Split.TRAIN:
            turns.append(_conversation(number, stem, annotation["gcg_description"], rng))
        if patch == 0 and source % _BARE_EVERY == 0:
            bare = generator(seed, "geopixeld", f"{split} without JSON", source)
            path = base / str(split) / f"{_stem(split, source, 1, 1)}.png"
            write_png(path, packable(_scene(bare).image))
    write_compact_json(base / "GeoPixelD.json", turns)
    return counts


def _stem(split: Split, source: int, row: int, column: int) -> str:
    """Source _ y0 _ y1 _ x0 _ x1; sources of train are even, of test odd, so none is shared."""
    side = PLANS["geopixeld"].side_px
    number = 2 * source + (split is not Split.TRAIN)
    y0, x0 = row * side, column * side
    return f"P{number:04d}_{y0}_{y0 + side}_{x0}_{x0 + side}"


def _scene(rng: np.random.Generator) -> Scene:
    side = PLANS["geopixeld"].side_px
    while True:
        scene = draw_objects(rng, width=side, height=side, categories=ISAID_LIKE)
        if scene.objects:
            return scene


def _annotated(folder: Path, stem: str, rng: np.random.Generator) -> dict[str, Any]:
    """Draw one patch, write its PNG and return the two annotation keys."""
    scene = _scene(rng)
    description = describe(scene, rng)
    write_png(folder / f"{stem}.png", packable(scene.image))
    polygons = [
        [[list(point) for point in part] for k in group for part in scene.objects[k].polygons]
        for group in description.groups
    ]
    return {"gcg_description": description.text, "polygons": polygons}


def _conversation(
    number: int, stem: str, description: str, rng: np.random.Generator
) -> dict[str, Any]:
    path = f"data/GeoPixelD/train/{stem}"
    prompt = PROMPTS[int(rng.integers(len(PROMPTS)))]
    return {
        "id": number,
        "image": [f"{path}.png"] if number % 3 else f"{path}.png",
        "polygons": f"{path}.json",
        "conversations": [
            {"from": "human", "value": f"<ImageHere> {prompt}"},
            {"from": "bot", "value": description},
        ],
    }
