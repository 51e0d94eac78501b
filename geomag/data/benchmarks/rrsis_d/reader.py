"""RRSIS-D: one referring expression and one mask per record (protocols/referring#rrsis-d-files)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from geomag.data.benchmarks import Split, Task
from geomag.data.benchmarks.dior import dior_display
from geomag.data.benchmarks.fields import box_of, by_id, field, file_stem
from geomag.data.benchmarks.masks import coco_polygon_rle, resized_nearest, rle_of
from geomag.data.benchmarks.own_marker import OwnMarker, own_marker
from geomag.data.benchmarks.rows import row_of
from geomag.data.benchmarks.tree import ImageFolder, locate_near, locate_with
from geomag.data.images import ImageInfo
from geomag.data.records import Record
from geomag.data.unpickle import load_plain_pickle
from geomag.errors import AnnotationError
from geomag.geometry import Rle, mask_area, union_of
from geomag.io import read_json

_TREE = "rrsisd/refs(unc).p, rrsisd/instances.json, images/rrsisd/JPEGImages/NNNNN.jpg"


class _Sentence(TypedDict):
    """One expression of a ref."""

    raw: Annotated[str, Field(description="The expression as somebody wrote it.")]


class _Ref(TypedDict):
    """One entry of ``refs(unc).p``."""

    ref_id: Annotated[int, Field(description="Id of the record.")]
    ann_id: Annotated[int, Field(description="Its annotation in ``instances.json``.")]
    image_id: Annotated[int, Field(description="Its entry in ``images`` there, if it has one.")]
    file_name: Annotated[str, Field(description="Name of the picture.")]
    split: Annotated[str, Field(description="``train``, ``val``, or what contains ``test``.")]
    sentences: Annotated[list[_Sentence], Field(description="Its expressions; usually one.")]


class _Annotation(TypedDict):
    """One of the ``annotations`` that a ref names."""

    categories_id: Annotated[int, Field(description="Id of its class, from 0.")]
    segmentation: Annotated[list[Any], Field(description="RLEs, or COCO polygons in pixels.")]
    bbox: Annotated[list[Any], Field(description="Corners xmin, ymin, xmax, ymax in pixels.")]


class _Category(TypedDict):
    """One of the ``categories``."""

    name: Annotated[str, Field(description="Name of the class in the file.")]


@dataclass(frozen=True, slots=True)
class _Instances:
    """``instances.json`` indexed."""

    place: str
    annotations: dict[int, dict[str, Any]]
    images: dict[int, dict[str, Any]]
    names: dict[int, str]
    """Category id (0-based) to the name in the file."""
    own: OwnMarker | None
    """Marker of own data, whose categories are called as the file calls them."""


@dataclass(frozen=True, slots=True)
class RrsisD:
    """12,181 / 1,740 / 3,481 expressions in train / val / test; DIOR images, mostly 800 x 800.

    ``root/rrsisd/refs(unc).p`` (pickle of plain values), ``root/rrsisd/instances.json`` (class
    under ``categories_id``, boxes as corners), ``root/images/rrsisd/JPEGImages``. No stated
    licence: research use only. Ids are ``ref_id``. A mask of another size than its image is
    resized by nearest neighbour and noted; an empty one is kept and noted. Own data beside its
    marker (`geomag.data.benchmarks.own_marker`) keeps its categories' names.
    """

    benchmark: str = "rrsis_d"

    def sources(self, root: Path) -> tuple[Path, ...]:
        """The annotation files."""
        refs = locate_with(root, "refs(unc).p", wanted=_TREE) / "refs(unc).p"
        if (beside := refs.with_name("instances.json")).is_file():
            return refs, beside
        return refs, locate_near(root, refs.parent, "instances.json", wanted=_TREE)

    def read(self, root: Path) -> Iterator[Record]:
        """Records in the order of the pickle."""
        refs_path, instances_path = self.sources(root)
        refs = load_plain_pickle(refs_path)
        if not isinstance(refs, list):
            raise AnnotationError(str(refs_path), f"a {type(refs).__name__}", "a list of refs")
        instances = _load_instances(instances_path, own_marker(root, self.benchmark))
        folder = locate_near(root, refs_path.parent, "JPEGImages", wanted=_TREE)
        images = ImageFolder(root, folder)
        stems = [
            file_stem(field(ref, "file_name", str, place=where), place=where)
            for ref, where in _placed(refs, refs_path)
        ]
        images.require(stems)
        _refuse_twice(refs, refs_path)
        for (ref, where), stem in zip(_placed(refs, refs_path), stems, strict=True):
            yield from _records(ref, stem, instances, images, where)


def _placed(refs: list[Any], path: Path) -> Iterator[tuple[Any, str]]:
    for position, ref in enumerate(refs):
        name = ref.get("ref_id", "?") if isinstance(ref, dict) else "?"
        yield ref, f"{path.name}[{position}], ref_id {name}"


def _refuse_twice(refs: list[Any], path: Path) -> None:
    """One sentence under two refs would be scored against two masks."""
    seen: dict[int, str] = {}
    for ref, where in _placed(refs, path):
        for sentence in field(ref, "sentences", list, place=where):
            number = sentence.get("sent_id") if isinstance(sentence, dict) else None
            if not isinstance(number, int):
                continue
            if seen.get(number, where) != where:  # twice in one ref: the validator names the id
                raise AnnotationError(
                    where, f"sent_id {number} also stands at {seen[number]}", "each sentence once"
                )
            seen[number] = where


def _load_instances(path: Path, own: OwnMarker | None) -> _Instances:
    tree = read_json(path)
    rows = {
        key: by_id(field(tree, key, list, place=path.name), place=f"{path.name}, {key}")
        for key in ("annotations", "images", "categories")
    }
    names = {
        key: row_of(_Category, row, place=f"{path.name}, category {key}")["name"]
        for key, row in rows["categories"].items()
    }
    for key, row in rows["images"].items():
        if "file_name" in row:
            place = f"{path.name}, image {key}, file_name"
            file_stem(field(row, "file_name", str, place=place), place=place)
    return _Instances(path.name, rows["annotations"], rows["images"], names, own)


def _records(
    entry: Any, stem: str, instances: _Instances, images: ImageFolder, where: str
) -> Iterator[Record]:
    ref = row_of(_Ref, entry, place=where)
    ref_id, annotation_id, image_id = ref["ref_id"], ref["ann_id"], ref["image_id"]
    if annotation_id not in instances.annotations:
        raise AnnotationError(where, f"ann_id {annotation_id}", f"one of {instances.place}")
    place = f"{instances.place}, annotation {annotation_id}"
    annotation = row_of(_Annotation, instances.annotations[annotation_id], place=place)
    image = images.path(stem, place=where)
    info = images.info(image)
    category = annotation["categories_id"]
    if category not in instances.names:
        raise AnnotationError(place, f"categories_id {category}", f"one of {[*instances.names]}")
    mask, notes = _mask(annotation, info, instances.images.get(image_id), place)
    if {ref_id, annotation_id, image_id} != {_stem_number(stem)}:
        notes.append("id_not_stem")
    if instances.own is not None and instances.own.has_box_masks:
        notes.append("box_mask")
    name = instances.names[category]
    kind = name if instances.own is not None else dior_display(name, place=place)
    if len(ref["sentences"]) != 1:
        notes.append("not_one_sentence")
    for sentence in ref["sentences"]:
        yield Record(
            benchmark="rrsis_d",
            id=str(ref_id),
            split=_split(ref["split"], where),
            task=Task.REFERRING,
            image=image,
            width=info.width,
            height=info.height,
            text=sentence["raw"],
            kind=kind,
            masks=(mask,),
            boxes=(box_of(annotation["bbox"], place=f"{place}, bbox"),),
            notes=tuple(notes),
        )


def _stem_number(stem: str) -> int:
    return int(stem) if stem.isdecimal() else -1


def _split(name: str, where: str) -> Split:
    if name in ("train", "val"):
        return Split(name)
    if "test" in name:  # REFER's loader matches test as a substring
        return Split.TEST
    raise AnnotationError(f"{where}, split", repr(name), "train, val or test")


def _mask(
    annotation: _Annotation, info: ImageInfo, image_row: dict[str, Any] | None, place: str
) -> tuple[Rle, list[str]]:
    """The union of the annotation's planes at the image's size, and what was odd about it."""
    notes = [*info.notes]
    if image_row is None:
        notes.append("image_not_listed")
    elif (image_row.get("width"), image_row.get("height")) != (info.width, info.height):
        notes.append("listed_size_differs")
    planes = annotation["segmentation"]
    if not planes:
        raise AnnotationError(f"{place}, segmentation", "an empty list", "one RLE")
    if isinstance(planes[0], list):
        mask = coco_polygon_rle(planes, width=info.width, height=info.height)
    else:
        rles = [rle_of(plane, place=f"{place}, segmentation") for plane in planes]
        if len({tuple(rle["size"]) for rle in rles}) > 1:
            raise AnnotationError(place, "planes of several sizes", "one size")
        # The reference keeps pixels that sum to exactly 1 and so loses overlaps.
        # protocols/referring#rrsis-d-errata: > 0.
        mask = union_of(rles)
    if mask["size"] != [info.height, info.width]:
        mask = resized_nearest(mask, width=info.width, height=info.height)
        notes.append("mask_resized")
    if mask_area(mask) == 0:
        notes.append("empty_mask")
    return mask, notes


READER = RrsisD()
