"""Pictures with labelled boxes from CSV tables (deepforest's columns) and Pascal VOC files."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.data.benchmarks.fields import box_of, refuse_other_size, stated_size
from geomag.data.images import image_info
from geomag.errors import AnnotationError, ImageError
from geomag.geometry import PixelBox
from geomag.io import inside, visible
from geomag.parse import csv_columns, read_csv, read_xml

CORNERS = ("xmin", "ymin", "xmax", "ymax")
COLUMNS = ("image_path", *CORNERS, "label")
"""What a CSV must have in its first line; more columns are left alone."""

_WANTED = f"a CSV with the columns {','.join(COLUMNS)}, or Pascal VOC XML"
_BESIDE = ("", "../JPEGImages", "../images")
"""Where the picture of an annotation file may lie, seen from that file."""


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """One object."""

    label: str
    """Label as the user names it, lower case."""
    box: PixelBox
    """Box in whole pixels, inside the picture."""


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """One picture and every object that is annotated in it."""

    path: Path
    width: int
    """Side in pixels."""
    height: int
    """Side in pixels."""
    objects: tuple[LabelledBox, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    image: str
    label: str
    corners: tuple[Any, ...]
    place: str
    size: tuple[int, int] | None = None
    """Width and height that its file states."""


def annotation_files(sources: Sequence[Path]) -> list[Path]:
    """The annotation files among ``sources``: files as they are named, folders searched by name.

    Raises:
        AnnotationError: If a source does not exist or a folder holds no annotation.
    """
    found: list[Path] = []
    for source in sources:
        if source.is_file():
            found.append(source)
            continue
        if not source.is_dir():
            raise AnnotationError(str(source), "no such file or folder", _WANTED)
        inner = [path for path in visible(source) if _is_annotation(path)]
        if not inner:
            raise AnnotationError(str(source), "no annotation file in it", _WANTED)
        found += inner
    return list(dict.fromkeys(found))


def read_pictures(files: Sequence[Path], names: Mapping[str, str]) -> list[LabelledPicture]:
    """Pictures with their boxes, by path.

    Args:
        files: Annotation files.
        names: What a label is to be called, by the label in the file; others keep theirs.

    Raises:
        AnnotationError: On a broken row, or a picture that two files annotate differently.
        ImageError: If a picture cannot be read or is not of 8 bits.
    """
    pictures: dict[Path, tuple[Path, LabelledPicture]] = {}
    for file in files:
        for picture in _pictures_of(file, names):
            first, known = pictures.setdefault(picture.path, (file, picture))
            if set(known.objects) != set(picture.objects):
                raise AnnotationError(
                    str(picture.path),
                    f"{len(known.objects)} boxes in {first.name}, "
                    f"{len(picture.objects)} in {file.name}",
                    "one annotation of a picture",
                    "name the annotation files you mean instead of their folder",
                )
    return [pictures[path][1] for path in sorted(pictures)]


def _is_annotation(path: Path) -> bool:
    if path.suffix.lower() == ".csv":
        return set(COLUMNS) <= csv_columns(path)
    return path.suffix.lower() == ".xml"


def _pictures_of(file: Path, names: Mapping[str, str]) -> Iterator[LabelledPicture]:
    rows: dict[Path, list[_Row]] = {}
    read = _csv_rows if file.suffix.lower() == ".csv" else _voc_rows
    for row in read(file):
        rows.setdefault(_image_of(file, row), []).append(row)
    for path, found in rows.items():
        info = image_info(path)
        if info.dtype != "uint8":
            raise ImageError(str(path), f"values of type {info.dtype}", "8 bits a band")
        size = (info.width, info.height)
        for row in found:
            refuse_other_size(row.size, size, row.place)
        objects = tuple(
            LabelledBox(names.get(row.label, row.label).lower(), _clipped(row, *size))
            for row in found
        )
        yield LabelledPicture(path, *size, objects)


def _image_of(file: Path, row: _Row) -> Path:
    for beside in _BESIDE:
        folder = (file.parent / beside).resolve()
        if (folder / row.image).is_file():
            return inside(folder, row.image, place=row.place)
    raise AnnotationError(row.place, f"no picture {row.image!r}", f"one beside {file}")


def _csv_rows(file: Path) -> Iterator[_Row]:
    for place, row in read_csv(file, set(COLUMNS)):
        image, label = row["image_path"].strip(), row["label"].strip()
        if not image or not label:
            raise AnnotationError(place, "no picture or no label", _WANTED)
        yield _Row(image, label, tuple(row[corner] for corner in CORNERS), place)


def _voc_rows(file: Path) -> Iterator[_Row]:
    root = read_xml(file)
    image = (root.findtext("filename") or "").strip()
    if root.tag != "annotation" or not image:
        raise AnnotationError(str(file), f"<{root.tag}>, picture {image!r}", _WANTED)
    size = stated_size(root, file.name)
    for position, item in enumerate(root.findall("object")):
        place = f"{file.name}, object {position}"
        label = (item.findtext("name") or "").strip()
        if not label:
            raise AnnotationError(place, "no name", _WANTED)
        corners = tuple(item.findtext(f"bndbox/{c}") for c in CORNERS)
        yield _Row(image, label, corners, place, size)


def _clipped(row: _Row, width: int, height: int) -> PixelBox:
    """The box in whole pixels, grown outward, cut to the picture."""
    x0, y0, x1, y1 = box_of(row.corners, place=row.place).corners
    corners = (
        max(0, math.floor(x0)),
        max(0, math.floor(y0)),
        min(width, math.ceil(x1)),
        min(height, math.ceil(y1)),
    )
    if corners[0] >= corners[2] or corners[1] >= corners[3]:
        raise AnnotationError(
            row.place, f"box ({x0:g}, {y0:g}, {x1:g}, {y1:g})", f"inside {width} x {height} pixels"
        )
    return PixelBox(*map(float, corners))
