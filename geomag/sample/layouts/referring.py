"""RRSIS-D and RefSegRS as they are downloaded, quirks included.

See protocols/referring#rrsis-d-files.
"""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geomag.data.benchmarks import Split
from geomag.data.benchmarks.dior import DIOR_CLASSES, class_key
from geomag.data.benchmarks.rrsis_d.spec import RRSIS_D_CATEGORIES
from geomag.data.layouts.encode import (
    Pixels,
    packable,
    resized,
    smoothed,
    write_compact_json,
    write_jpeg,
    write_lines,
    write_packbits_tiff,
    write_pickle,
)
from geomag.geometry import BoolMask, PixelBox, encode_mask
from geomag.sample.draw.language import Expression, refer, refer_group
from geomag.sample.draw.scene import Scene, draw_objects
from geomag.sample.layouts.plan import PLANS
from geomag.seeds import generator

_MISMATCH_PX = 10
"""Rows that a mismatched RRSIS-D image lacks: the RLE keeps the square size."""
_NONSENSE_AREA = 279_213
"""Area that the real file has on a box of 45 x 31 pixels."""
_MISMATCHED = {(Split.TRAIN, 1), (Split.TEST, 1)}
_WRONG_AREA = (Split.TRAIN, 2)
_EMPTY_MASK = (Split.VAL, 1)

REFSEGRS_CLASSES = (
    *("road", "car", "van", "building", "truck", "trailer", "bus", "road marking", "bikeway"),
    *("sidewalk", "tree", "low vegetation", "impervious surface"),
)
"""RefSegRS's target classes; its fourteenth, vehicle, would mean four of these."""

_TARGETS_PER_SCENE = 3
"""RefSegRS repeats a scene under several ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ref:
    """One RRSIS-D expression before it is written."""

    stem: int
    place: tuple[Split, int]
    """Split and position in it."""
    scene: Scene
    target: Expression


def write_rrsis_d(root: Path, *, seed: int, scale: float) -> dict[Split, int]:
    """Write ``rrsisd/`` and ``images/rrsisd/``; returns expressions per split."""
    refs: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    counts: dict[Split, int] = {}
    for number, split in enumerate(PLANS["rrsis_d"].splits(scale)):
        place = (split, counts.get(split, 0))
        rng = generator(seed, "rrsis_d", *place)
        scene, target = referred_scene(rng, PLANS["rrsis_d"].side_px)
        # Every tenth number is missing: ids are stems, never positions.
        ref = _Ref(stem=number + 1 + number // 9, place=place, scene=scene, target=target)
        picture = _rrsis_d_picture(ref)
        write_jpeg(root / f"images/rrsisd/JPEGImages/{ref.stem:05d}.jpg", picture)
        _write_xml(root / f"images/rrsisd/ann_split/{ref.stem:05d}.xml", ref, rng)
        refs.append(_ref_entry(ref))
        images.append(_image_entry(ref, picture))
        annotations.append(_annotation(ref))
        counts[split] = counts.get(split, 0) + 1
    categories = [{"id": k, "name": name} for k, name in enumerate(RRSIS_D_CATEGORIES)]
    write_pickle(root / "rrsisd/refs(unc).p", refs)
    write_compact_json(
        root / "rrsisd/instances.json",
        {"images": images, "annotations": annotations, "categories": categories},
    )
    return counts


def referred_scene(rng: np.random.Generator, side_px: int) -> tuple[Scene, Expression]:
    """A scene of DIOR classes with an expression that fits exactly one of its objects."""
    while True:
        scene = draw_objects(rng, width=side_px, height=side_px)
        target = refer(scene, rng)
        if target is not None:
            return scene, target


def dior_spelling(category: str) -> str:
    """A drawn category as DIOR spells it on disk.

    >>> dior_spelling("tennis court"), dior_spelling("expressway toll station")
    ('tenniscourt', 'Expressway-toll-station')
    """
    return next(name for name in DIOR_CLASSES if class_key(name) == class_key(category))


def pixel_box(box: PixelBox) -> list[int]:
    """``[x0, y0, x1, y1]``, whole pixels."""
    return list(box.as_ints())


def _rrsis_d_picture(ref: _Ref) -> Pixels:
    image = smoothed(ref.scene.image)
    if ref.place not in _MISMATCHED:
        return image
    return resized(image, width=image.shape[1], height=image.shape[0] - _MISMATCH_PX)


def _ref_entry(ref: _Ref) -> dict[str, Any]:
    category = dior_spelling(ref.scene.objects[ref.target.index].category)
    text = ref.target.text
    tokens = re.findall(r"[\w'-]+", text.lower())
    sentence = {"sent_id": ref.stem, "raw": text, "sent": text, "tokens": tokens}
    return {
        "ref_id": ref.stem,
        "ann_id": ref.stem,
        "image_id": ref.stem,
        "category_id": RRSIS_D_CATEGORIES.index(category),
        "file_name": f"{ref.stem:05d}.jpg",
        "split": str(ref.place[0]),
        "sent_ids": [ref.stem],
        "sentences": [sentence],
    }


def _image_entry(ref: _Ref, picture: Pixels) -> dict[str, Any]:
    height, width = picture.shape[:2]
    name = f"{ref.stem:05d}.jpg"
    return {"id": ref.stem, "file_name": name, "width": width, "height": height}


def _annotation(ref: _Ref) -> dict[str, Any]:
    target = ref.scene.objects[ref.target.index]
    mask = np.zeros_like(target.mask) if ref.place == _EMPTY_MASK else target.mask
    area = _NONSENSE_AREA if ref.place == _WRONG_AREA else int(np.count_nonzero(mask))
    return {
        "id": ref.stem,
        "image_id": ref.stem,
        "segmentation": [dict(encode_mask(mask))],
        "bbox": pixel_box(target.box),
        "area": area,
        "categories_id": RRSIS_D_CATEGORIES.index(dior_spelling(target.category)),
    }


def _write_xml(path: Path, ref: _Ref, rng: np.random.Generator) -> None:
    """Other objects first, the target last: only the last has a mask."""
    height, width = ref.scene.image.shape[:2]
    top = ET.Element("annotation")
    ET.SubElement(top, "filename").text = f"{ref.stem:05d}.jpg"
    size = ET.SubElement(top, "size")
    for name, value in (("width", width), ("height", height), ("depth", 3)):
        ET.SubElement(size, name).text = str(value)
    others = [k for k in range(len(ref.scene.objects)) if k != ref.target.index][:2]
    told = [e for k in others if (e := refer(ref.scene, rng, index=k)) is not None]
    for expression in (*told, ref.target):
        thing = ref.scene.objects[expression.index]
        entry = ET.SubElement(top, "object")
        # RRSIS-D's XML spells the classes with blanks, its JSON without.
        ET.SubElement(entry, "name").text = DIOR_CLASSES[dior_spelling(thing.category)]
        box = ET.SubElement(entry, "bndbox")
        for name, edge in zip(("xmin", "ymin", "xmax", "ymax"), pixel_box(thing.box), strict=True):
            ET.SubElement(box, name).text = str(edge)
        ET.SubElement(entry, "description").text = expression.text
    write_xml(path, top)


def write_xml(path: Path, top: ET.Element) -> None:
    """Write an indented XML file without declaration, as DIOR's are."""
    ET.indent(top, space="\t")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ET.tostring(top, encoding="utf-8") + b"\n")


def write_refsegrs(root: Path, *, seed: int, scale: float) -> dict[Split, int]:
    """Write ``RefSegRS/``: PackBits TIFFs, one image and one mask per line of the phrase files."""
    plan, base = PLANS["refsegrs"], root / "RefSegRS"
    lines: dict[Split, list[str]] = {split: [] for split in plan.shares}
    drawn: dict[Split, int] = {}
    for number, split in enumerate(plan.splits(scale)):
        rng = generator(seed, "refsegrs", split, drawn.get(split, 0))
        drawn[split] = drawn.get(split, 0) + 1
        scene = draw_objects(
            rng, width=plan.side_px, height=plan.side_px, categories=REFSEGRS_CLASSES
        )
        picture = packable(scene.image)
        for order, (phrase, mask) in enumerate(_targets(scene, rng)):
            line_id = number * _TARGETS_PER_SCENE + order
            write_packbits_tiff(base / f"images/{line_id}.tif", picture)
            grey = _grey(mask, is_soft=not lines[split])
            write_packbits_tiff(base / f"masks/{line_id}.tif", grey)
            lines[split].append(f"{line_id} {phrase}")
    for split, text in lines.items():
        write_lines(base / f"output_phrase_{split}.txt", text)
    return {split: len(text) for split, text in lines.items()}


def _targets(scene: Scene, rng: np.random.Generator) -> list[tuple[str, BoolMask]]:
    """Up to three phrases of one scene: all of a kind first, then single objects.

    Lower case and without a full stop, as phrases made by rule are.
    """
    found: dict[str, BoolMask] = {}
    group = refer_group(scene, rng)
    if group is not None:
        found[group.phrase.lower()] = np.any([scene.objects[k].mask for k in group.indices], axis=0)
    for index in rng.permutation(len(scene.objects)):
        if len(found) == _TARGETS_PER_SCENE:
            break
        expression = refer(scene, rng, index=int(index))
        if expression is not None:
            phrase = expression.text.rstrip(".").lower()
            found.setdefault(phrase, scene.objects[expression.index].mask)
    return list(found.items())


def _grey(mask: BoolMask, *, is_soft: bool) -> Pixels:
    """0 and 255; a soft one has a fringe below the threshold of 50 and an edge above it."""
    grey = np.where(mask, 255, 0).astype(np.uint8)
    if is_soft:
        before = np.roll(mask, 1, axis=1)
        grey[mask & ~before] = 200
        grey[before & ~mask] = 40
    return grey
