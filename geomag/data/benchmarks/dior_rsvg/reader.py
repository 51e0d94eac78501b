"""DIOR-RSVG as referring object classification: a box in, its class out (protocols/roc#files)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.data.benchmarks import Split, Task
from geomag.data.benchmarks.dior import dior_display
from geomag.data.benchmarks.fields import box_of, refuse_other_size, stated_size
from geomag.data.benchmarks.tree import ImageFolder, locate_near, locate_with
from geomag.data.records import Record
from geomag.errors import AnnotationError
from geomag.geometry import PixelBox
from geomag.io import visible
from geomag.parse import read_text, read_xml

_SPLITS = (Split.TRAIN, Split.VAL, Split.TEST)
_TREE = "DIOR_RSVG/{Annotations/NNNNN.xml,JPEGImages/NNNNN.jpg,train.txt,val.txt,test.txt}"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True)
class _Object:
    """One object of one annotation file."""

    stem: str
    name: str
    box: PixelBox
    place: str
    size: tuple[int, int] | None
    """Width and height that its file states."""


@dataclass(frozen=True, slots=True)
class DiorRsvg:
    """26,991 / 3,829 / 7,500 objects in train / val / test, 38,320 in 17,402 files; 800 x 800 JPEG.

    A line of ``<split>.txt`` is the running index of an object over the annotation files sorted
    by name, objects in file order; it is the record's id. No licence file: research use. The
    expression (``description``) contains the class word, so it goes nowhere.
    """

    benchmark: str = "dior_rsvg"

    def sources(self, root: Path) -> tuple[Path, ...]:
        """The split lists, then the annotation files sorted by name."""
        names = [f"{split}.txt" for split in _SPLITS]
        folder = locate_with(root, "Annotations", *names, wanted=_TREE)
        return (*(folder / name for name in names), *visible(folder / "Annotations", "*.xml"))

    def read(self, root: Path) -> Iterator[Record]:
        """Records by split in the order of the index lists."""
        paths = self.sources(root)
        lists, files = paths[: len(_SPLITS)], paths[len(_SPLITS) :]
        images = ImageFolder(
            root, locate_near(root, paths[0].parent, "JPEGImages", wanted=_TREE), (".jpg", ".jpeg")
        )
        images.require(path.stem for path in files)
        objects = [item for path in files for item in _objects(path)]
        for split, indices in zip(_SPLITS, _index_lists(lists, len(objects)), strict=True):
            for index in indices:
                yield _record(split, index, objects[index], images)


def _objects(path: Path) -> Iterator[_Object]:
    root = read_xml(path)
    size = stated_size(root, path.name)
    found = root.findall("object")
    if not found:
        raise AnnotationError(str(path), "no object", "one or more objects")
    for position, item in enumerate(found):
        place = f"{path.name}, object {position}"
        corners = [_text(item, f"bndbox/{corner}", place) for corner in _CORNERS]
        name = _text(item, "name", place)
        yield _Object(path.stem, name, box_of(corners, place=f"{place}, bndbox"), place, size)


def _text(item: Any, tag: str, place: str) -> str:
    text = item.findtext(tag)
    if text is None or not text.strip():
        raise AnnotationError(place, f"no {tag}", f"a value for {tag}")
    return str(text.strip())


def _index_lists(lists: tuple[Path, ...], n_objects: int) -> list[list[int]]:
    """The object indices of each split: disjoint, and together every object once."""
    seen: dict[int, str] = {}
    splits: list[list[int]] = []
    for path in lists:
        if not path.is_file():
            raise AnnotationError(str(path), "no such file", _TREE)
        lines = read_text(path).split()
        indices: list[int] = []
        for number, line in enumerate(lines, start=1):
            place = f"{path.name}, line {number}"
            if not (line.isascii() and line.isdecimal()) or int(line) >= n_objects:
                raise AnnotationError(
                    place, repr(line), f"an object index from 0 to {n_objects - 1}"
                )
            if int(line) in seen:
                raise AnnotationError(
                    place,
                    f"object {line} also stands in {seen[int(line)]}",
                    "disjoint splits",
                    "use the split files of June 2023",
                )
            seen[int(line)] = place
            indices.append(int(line))
        splits.append(indices)
    if len(seen) != n_objects:
        left = next(index for index in range(n_objects) if index not in seen)
        raise AnnotationError(
            str(lists[0].parent),
            f"{n_objects - len(seen)} of {n_objects} objects are in no split, the first is {left}",
            "every object in one split",
        )
    return splits


def _record(split: Split, index: int, item: _Object, images: ImageFolder) -> Record:
    image = images.path(item.stem, place=item.place)
    info = images.info(image)
    refuse_other_size(item.size, (info.width, info.height), item.place)
    display = dior_display(item.name, place=f"{item.place}, name")
    return Record(
        benchmark="dior_rsvg",
        id=str(index),
        split=split,
        task=Task.ROC,
        image=image,
        width=info.width,
        height=info.height,
        answers=(display,),
        kind=display,
        boxes=(item.box,),
        notes=info.notes,
    )


READER = DiorRsvg()
