"""GeoPixelD: one description with a mask per [SEG] for each patch (protocols/gcg#files)."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from geomag.data.benchmarks import Split, Task
from geomag.data.benchmarks.fields import field, file_stem
from geomag.data.benchmarks.masks import fill_polygons, polygon_points, rle_of
from geomag.data.benchmarks.rows import row_of
from geomag.data.benchmarks.tree import ImageFolder, locate_with
from geomag.data.grounded import parse_grounding
from geomag.data.images import ImageInfo
from geomag.data.records import Record
from geomag.errors import AnnotationError, shown
from geomag.geometry import Rle, encode_mask, mask_area
from geomag.io import read_json, visible
from geomag.seeds import seed_of

VAL_SHARE = 0.1
"""Part of the training sources held out for model selection; the set has no val split."""

_TREE = "GeoPixelD/{train,test}/<patch>.json with <patch>.png beside each"


class _Patch(TypedDict):
    """The file of a patch, but for its masks, which stand under one of three keys."""

    img: Annotated[str, Field(description="Name of the patch's picture.")]
    gcg_description: Annotated[str, Field(description="Text with ``<p>`` phrases and [SEG].")]


@dataclass(frozen=True, slots=True)
class GeoPixelD:
    """16,795 train and 1,943 test patches with 53,816 and 5,427 [SEG]; iSAID / DOTA, 800 x 800 PNG.

    ``train`` and ``test`` hold a JSON and a PNG per patch, named source _ y0 _ y1 _ x0 _ x1.
    Annotations CC-BY-4.0, images academic use. Ids are image stems. Polygons are filled with
    OpenCV's rule. A tenth of the training sources, by P number since patches overlap, is val.
    """

    benchmark: str = "geopixeld"

    def sources(self, root: Path) -> tuple[Path, ...]:
        """The annotation files, one per patch, train before test, by name."""
        folder = locate_with(root, "train", "test", wanted=_TREE)
        return tuple(
            path for part in ("train", "test") for path in visible(folder / part, "*.json")
        )

    def read(self, root: Path) -> Iterator[Record]:
        """Records of train and val by name, then of test."""
        folder = locate_with(root, "train", "test", wanted=_TREE)
        for part in (Split.TRAIN, Split.TEST):
            paths = visible(folder / part, "*.json")
            images = ImageFolder(root, folder / part)
            stems = {path: _image_stem(path) for path in paths}
            images.require(stems.values())
            held_out = held_out_sources(stems.values()) if part is Split.TRAIN else frozenset()
            for path, stem in stems.items():
                split = Split.VAL if source_of(stem) in held_out else part
                yield _record(path, stem, split, images)


def source_of(stem: str) -> str:
    """The source image of a patch.

    >>> source_of("P0224_0_800_0_800"), source_of("P0012")
    ('P0224', 'P0012')
    """
    match = re.match(r"P\d+", stem)
    return match[0] if match else stem


def held_out_sources(stems: Iterable[str]) -> frozenset[str]:
    """The sources whose patches are val: a tenth of them, rounded up, none of a single one."""
    ranked = sorted({source_of(stem) for stem in stems}, key=lambda s: seed_of("geopixeld_val", s))
    count = math.ceil(VAL_SHARE * len(ranked)) if len(ranked) > 1 else 0
    return frozenset(ranked[:count])


def _load(path: Path) -> Mapping[str, Any]:
    row = read_json(path)
    if not isinstance(row, dict):
        raise AnnotationError(str(path), f"a {type(row).__name__}", "one object per patch")
    return row


def _image_stem(path: Path) -> str:
    place = f"{path.parent.name}/{path.name}"
    patch = row_of(_Patch, _load(path), place=place)
    return file_stem(patch["img"], place=f"{place}, img")


def _record(path: Path, stem: str, split: Split, images: ImageFolder) -> Record:
    place = f"{path.parent.name}/{path.name}"
    row = _load(path)
    image = images.path(stem, place=place)
    info = images.info(image)
    text = row_of(_Patch, row, place=place)["gcg_description"]
    grounding = parse_grounding(text)
    masks, notes = _masks(row, info, place)
    if len(masks) != len(grounding.phrases):
        raise AnnotationError(
            place, f"{len(masks)} masks", f"one for each of {len(grounding.phrases)} [SEG]"
        )
    notes += info.notes
    if stem != path.stem:
        notes.append("image_not_stem")
    if grounding.n_without_phrase:
        notes.append("seg_without_phrase")
    if grounding.n_without_mask:
        notes.append("phrase_without_mask")
    if any(mask_area(mask) == 0 for mask in masks):
        notes.append("empty_mask")
    return Record(
        benchmark="geopixeld",
        id=stem,
        split=split,
        task=Task.GCG,
        image=image,
        width=info.width,
        height=info.height,
        text=text,
        masks=tuple(masks),
        phrases=grounding.phrases,
        notes=tuple(notes),
    )


def _masks(row: Mapping[str, Any], info: ImageInfo, place: str) -> tuple[list[Rle], list[str]]:
    """One mask per [SEG], of ``polygons``, ``polygon`` (as documented) or ``segmentation``."""
    if "polygons" not in row and "segmentation" in row:
        rles = [
            rle_of(value, place=f"{place}, segmentation[{k}]")
            for k, value in enumerate(field(row, "segmentation", list, place=place))
        ]
        for rle in rles:
            if rle["size"] != [info.height, info.width]:
                raise AnnotationError(
                    place, f"RLE of size {rle['size']}", f"{[info.height, info.width]}"
                )
        return rles, []
    key = "polygon" if "polygons" not in row and "polygon" in row else "polygons"
    masks: list[Rle] = []
    is_clipped = False
    for k, group in enumerate(field(row, key, list, place=place)):
        where = f"{place}, {key}[{k}]"
        if not isinstance(group, list) or not group:
            raise AnnotationError(where, shown(group), "a list of polygons")
        polygons = [polygon_points(polygon, place=where) for polygon in group]
        is_clipped |= any(
            not (0 <= x <= info.width and 0 <= y <= info.height)
            for polygon in polygons
            for x, y in polygon
        )
        masks.append(encode_mask(fill_polygons(polygons, width=info.width, height=info.height)))
    return masks, ["polygon_clipped"] if is_clipped else []


READER = GeoPixelD()
