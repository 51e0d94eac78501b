"""DIOR-RSVG as it is downloaded: XML per image, splits by running object index.

See protocols/roc#files.
"""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from geomag.data.benchmarks import Split
from geomag.data.benchmarks.dior import DIOR_CLASSES
from geomag.data.layouts.encode import smoothed, write_jpeg, write_lines
from geomag.sample.draw.language import Expression, refer
from geomag.sample.draw.scene import Scene, draw_objects
from geomag.sample.layouts.plan import PLANS, interleaved
from geomag.sample.layouts.referring import dior_spelling, pixel_box, write_xml
from geomag.seeds import generator

_MAX_OBJECTS = 3
"""Annotated objects of one image at most."""
_UNSEEN_EVERY = 20
"""Every twentieth image has test objects only, so the protocol's subset (c) is not empty."""
_REPEAT_EVERY = 15
"""Every fifteenth image annotates one box twice, with two expressions."""
_SHARES = {Split.TRAIN: 15, Split.VAL: 2, Split.TEST: 3}
"""How the objects of one class go round; with the unseen images about 70 / 10 / 20 %."""


def write_dior_rsvg(root: Path, *, seed: int, scale: float) -> dict[Split, int]:
    """Write ``DIOR_RSVG/``; returns objects per split. Splits share images, as the real ones do."""
    base, side = root / "DIOR_RSVG", PLANS["dior_rsvg"].side_px
    n_images = len(PLANS["dior_rsvg"].splits(scale))
    indices: dict[Split, list[str]] = {split: [] for split in _SHARES}
    turn = {name: 3 * k for k, name in enumerate(DIOR_CLASSES)}
    round_of = interleaved(_SHARES, sum(_SHARES.values()))
    running = 0
    for number in range(n_images):
        rng = generator(seed, "dior_rsvg", "images", number)
        scene, told = _annotated(rng, side, number)
        stem = f"{number + 1 + number // 9:05d}"
        write_jpeg(base / f"JPEGImages/{stem}.jpg", smoothed(scene.image))
        _write_xml(base / f"Annotations/{stem}.xml", stem, scene, told)
        for expression in told:
            name = dior_spelling(scene.objects[expression.index].category)
            if number % _UNSEEN_EVERY == 1:
                split = Split.TEST
            else:
                split = round_of[turn[name] % len(round_of)]
                turn[name] += 1
            indices[split].append(str(running))
            running += 1
    for split, lines in indices.items():
        write_lines(base / f"{split}.txt", lines)
    return {split: len(lines) for split, lines in indices.items()}


def _annotated(
    rng: np.random.Generator, side_px: int, number: int
) -> tuple[Scene, list[Expression]]:
    """A scene and the expressions of one to three of its objects."""
    while True:
        scene = draw_objects(rng, width=side_px, height=side_px)
        told: list[Expression] = []
        for index in rng.permutation(len(scene.objects)):
            expression = refer(scene, rng, index=int(index))
            if expression is not None and len(told) < _MAX_OBJECTS:
                told.append(expression)
        if told:
            break
    again = refer(scene, rng, index=told[0].index)
    if number % _REPEAT_EVERY == 0 and again is not None:
        told.append(again)
    return scene, told


def _write_xml(path: Path, stem: str, scene: Scene, told: list[Expression]) -> None:
    height, width = scene.image.shape[:2]
    top = ET.Element("annotation")
    ET.SubElement(top, "filename").text = f"{stem}.jpg"
    ET.SubElement(ET.SubElement(top, "source"), "database").text = "DIOR"
    size = ET.SubElement(top, "size")
    for name, value in (("width", width), ("height", height), ("depth", 3)):
        ET.SubElement(size, name).text = str(value)
    ET.SubElement(top, "segmented").text = "0"
    for expression in told:
        thing = scene.objects[expression.index]
        entry = ET.SubElement(top, "object")
        # Children stand in the order that loaders which read by position expect.
        ET.SubElement(entry, "name").text = dior_spelling(thing.category)
        ET.SubElement(entry, "pose").text = "Unspecified"
        box = ET.SubElement(entry, "bndbox")
        for name, edge in zip(("xmin", "ymin", "xmax", "ymax"), pixel_box(thing.box), strict=True):
            ET.SubElement(box, name).text = str(edge)
        ET.SubElement(entry, "description").text = expression.text
    write_xml(path, top)
