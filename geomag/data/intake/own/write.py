"""Own pictures as RRSIS-D or RSVQA-LR: the same files, with ``OWN.json`` beside them.

All of it is the test split. Masks are filled boxes, and records read from them say so.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.data.benchmarks import BENCHMARKS, Split, Task
from geomag.data.benchmarks.own_marker import OWN_MARKER
from geomag.data.images import read_rgb
from geomag.data.intake.own.boxes import (
    LabelledBox,
    LabelledPicture,
    annotation_files,
    read_pictures,
)
from geomag.data.intake.own.expressions import expressions
from geomag.data.intake.own.questions import picture_questions
from geomag.data.layouts.encode import (
    DATE_ADDED,
    write_compact_json,
    write_jpeg,
    write_pickle,
    write_tiff,
)
from geomag.errors import AnnotationError, ConfigError
from geomag.geometry import box_mask, encode_mask
from geomag.io import file_digest, write_json

_PARTS = ("images", "questions", "answers")


@dataclass(frozen=True, slots=True)
class OwnSet:
    """Counts of what was written."""

    benchmark: str
    n_pictures: int
    n_boxes: int
    kinds: Mapping[str, int]
    """Records by class, or by question type."""


def write_own(
    sources: Sequence[Path], *, layout: str, out: Path, names: Mapping[str, str]
) -> OwnSet:
    """Write pictures with boxes in a benchmark's layout; the marker comes last.

    Args:
        sources: Annotation files, or folders of them.
        layout: A benchmark that takes own pictures.
        out: The benchmark's root; must not exist, or be empty.
        names: New name by label.

    Raises:
        GeoMagError: Naming the file and the row, or that nothing can be said of the boxes.
    """
    layouts = [one.name for one in BENCHMARKS.values() if one.takes_own]
    if layout not in layouts:
        raise ConfigError("--layout", repr(layout), f"one of {layouts}")
    if out.exists() and any(out.iterdir()):
        raise ConfigError("--out", f"{out} is not empty", "a new folder")
    files = annotation_files(sources)
    pictures = [p for p in read_pictures(files, names) if p.objects]
    kinds = _WRITERS[BENCHMARKS[layout].task](pictures, out)
    if not kinds:
        raise AnnotationError(
            str(sources[0]),
            f"{len(pictures)} pictures with boxes, of which nothing certain can be said",
            "boxes that differ in size or place",
        )
    written = OwnSet(layout, len(pictures), sum(len(p.objects) for p in pictures), kinds)
    marker = {
        "benchmark": layout,
        "counts": {"train": 0, "val": 0, "test": sum(kinds.values())},
        "kinds": kinds,
        "labels": "boxes",
        "sources": {path.name: file_digest(path) for path in files},
    }
    write_json(out / OWN_MARKER, marker)
    return written


def _write_referring(pictures: Sequence[LabelledPicture], out: Path) -> dict[str, int]:
    """``rrsisd/`` and ``images/rrsisd/``: one JPEG a picture, one ref and mask an expression."""
    labels = sorted({item.label for picture in pictures for item in picture.objects})
    refs: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    kinds: Counter[str] = Counter()
    for image_id, picture in enumerate(pictures, start=1):
        name = f"{image_id:05d}.jpg"
        write_jpeg(out / "images/rrsisd/JPEGImages" / name, read_rgb(picture.path))
        size = {"width": picture.width, "height": picture.height}
        images.append({"id": image_id, "file_name": name, **size})
        for told in expressions(picture):
            ref_id, item = len(refs) + 1, picture.objects[told.index]
            category = labels.index(item.label)
            annotations.append(_box_mask(picture, item, ref_id, image_id, category))
            refs.append(_ref(told.text, ref_id, image_id, name, category))
            kinds[item.label] += 1
    categories = [{"id": k, "name": label} for k, label in enumerate(labels)]
    tree = {"images": images, "annotations": annotations, "categories": categories}
    write_pickle(out / "rrsisd/refs(unc).p", refs)
    write_compact_json(out / "rrsisd/instances.json", tree)
    return dict(kinds)


def _box_mask(
    picture: LabelledPicture, item: LabelledBox, ref_id: int, image_id: int, category: int
) -> dict[str, Any]:
    x0, y0, x1, y1 = item.box.as_ints()
    mask = box_mask(item.box, height=picture.height, width=picture.width)
    return {
        "id": ref_id,
        "image_id": image_id,
        "segmentation": [dict(encode_mask(mask))],
        "bbox": [x0, y0, x1, y1],
        "area": (x1 - x0) * (y1 - y0),
        "categories_id": category,
    }


def _ref(text: str, ref_id: int, image_id: int, file_name: str, category: int) -> dict[str, Any]:
    sentence = {
        "sent_id": ref_id, "raw": text, "sent": text, "tokens": re.findall(r"[\w'-]+", text),
    }  # fmt: skip
    return {
        "ref_id": ref_id,
        "ann_id": ref_id,
        "image_id": image_id,
        "category_id": category,
        "file_name": file_name,
        "split": str(Split.TEST),
        "sent_ids": [ref_id],
        "sentences": [sentence],
    }


def _write_vqa(pictures: Sequence[LabelledPicture], out: Path) -> dict[str, int]:
    """``Images_LR/`` and the nine split files, of which train and val are empty."""
    rows: dict[str, list[dict[str, Any]]] = {part: [] for part in _PARTS}
    kinds: Counter[str] = Counter()
    for image_id, picture in enumerate(pictures):
        write_tiff(out / f"Images_LR/{image_id}.tif", read_rgb(picture.path))
        asked = picture_questions(picture)
        ids = list(range(len(rows["questions"]), len(rows["questions"]) + len(asked)))
        common = {"date_added": DATE_ADDED, "people_id": 1, "active": True}
        name = {"original_name": picture.path.name, "questions_ids": ids}
        rows["images"].append({"id": image_id, **common, **name})
        for number, question in zip(ids, asked, strict=True):
            about = {"img_id": image_id, "type": question.kind, "question": question.text}
            rows["questions"].append({"id": number, **common, **about, "answers_ids": [number]})
            reply = {"question_id": number, "answer": question.answer}
            rows["answers"].append({"id": number, **common, **reply})
            kinds[question.kind] += 1
    for split in (Split.TRAIN, Split.VAL, Split.TEST):
        for part, found in rows.items():
            content = found if split is Split.TEST else []
            write_compact_json(out / f"LR_split_{split}_{part}.json", {part: content})
    return dict(kinds)


_WRITERS: Mapping[Task, Callable[[Sequence[LabelledPicture], Path], dict[str, int]]] = {
    Task.REFERRING: _write_referring,
    Task.VQA: _write_vqa,
}
"""Writers by the task of a layout that takes own pictures; the files are those of its one
benchmark."""
