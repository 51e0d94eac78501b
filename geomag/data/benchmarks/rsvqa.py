"""RSVQA-LR and RSVQA-HR: questions about Sentinel-2 and aerial tiles (protocols/rsvqa#files)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.data.benchmarks import Split, Task
from geomag.data.benchmarks.fields import by_id, field
from geomag.data.benchmarks.merge_tables import write_joined
from geomag.data.benchmarks.tree import ImageFolder, first_folder, locate_with
from geomag.data.records import Record
from geomag.errors import AnnotationError, ImageError
from geomag.io import read_json

TYPES = ("presence", "comp", "count", "area", "rural_urban")
"""Question types as the files spell them; area is HR only, rural_urban LR only."""

_KINDS = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
_FOLDERS = ("Images_LR", "Data", "Images", "images")


@dataclass(frozen=True, slots=True)
class Rsvqa:
    """LR: 57,223 / 10,005 / 10,004 questions; HR: 625,340 / 102,843 / 222,684 / 105,647; CC BY 4.0.

    ``<prefix>_split_<split>_{images,questions,answers}.json`` beside ``Images_LR`` or ``Data`` with
    ``<id>.tif`` (else ``<id>.png``; HR carries both). Split files are padded with stubs of an id
    and ``active: false``; rows count by ``id``. Record ids are question ids, text is raw.
    """

    benchmark: str
    prefix: str
    """``LR`` or ``USGS``: how the split files begin."""
    splits: tuple[Split, ...]

    def sources(self, root: Path) -> tuple[Path, ...]:
        """The split files: images, questions and answers of each split."""
        names = [
            f"{self.prefix}_split_{split}_{part}.json"
            for split in self.splits
            for part in ("images", "questions", "answers")
        ]
        wanted = f"{names[0]} and {len(names) - 1} more, beside one of {list(_FOLDERS)}"
        folder = locate_with(root, *names, wanted=wanted)
        return tuple(folder / name for name in names)

    def read(self, root: Path) -> Iterator[Record]:
        """Records by split in the order of the question files; one split in memory at a time."""
        paths = self.sources(root)
        images = ImageFolder(root, first_folder(paths[0].parent, *_FOLDERS), _KINDS)
        for number, split in enumerate(self.splits):
            yield from self._read_split(split, paths[3 * number : 3 * number + 3], images)

    def _read_split(
        self, split: Split, paths: tuple[Path, ...], images: ImageFolder
    ) -> Iterator[Record]:
        images_path, questions_path, answers_path = paths
        image_ids = _active(images_path, "images")
        images.require(str(image_id) for image_id in image_ids)
        answers = {
            key: _answer(row, f"{answers_path.name}, answer {key}")
            for key, row in _active(answers_path, "answers").items()
        }
        for question_id, row in _active(questions_path, "questions").items():
            place = f"{questions_path.name}, question {question_id}"
            image_id = field(row, "img_id", int, place=place)
            if image_id not in image_ids:
                raise AnnotationError(
                    place, f"img_id {image_id}", f"an active image of {images_path.name}"
                )
            image = images.path(str(image_id), place=place)
            info = images.info(image)
            if info.mode != "RGB":
                raise ImageError(image, f"mode {info.mode}", "three bands of 8 bits (RGB)")
            yield Record(
                benchmark=self.benchmark,
                id=str(question_id),
                split=split,
                task=Task.VQA,
                image=image,
                width=info.width,
                height=info.height,
                text=field(row, "question", str, place=place),
                answers=(_answer_of(row, question_id, answers, place),),
                kind=_type(row, place),
                notes=info.notes,
            )


def _active(path: Path, key: str) -> dict[int, dict[str, Any]]:
    """Rows of a split by id, stubs left out before anything else is read of them."""
    rows = field(read_json(path), key, list, place=path.name)
    for position, row in enumerate(rows):
        field(row, "active", bool, place=f"{path.name}, {key}[{position}]")
    return by_id((row for row in rows if row["active"]), place=f"{path.name}, active {key}")


def _answer(row: dict[str, Any], place: str) -> tuple[int, str]:
    """Question id and text of one answer."""
    return field(row, "question_id", int, place=place), field(row, "answer", str, place=place)


def _answer_of(
    row: dict[str, Any], question_id: int, answers: dict[int, tuple[int, str]], place: str
) -> str:
    ids = field(row, "answers_ids", list, place=place)
    if len(ids) != 1 or ids[0] not in answers:
        raise AnnotationError(f"{place}, answers_ids", f"{ids}", "exactly one active answer")
    asked, text = answers[ids[0]]
    if asked != question_id:
        raise AnnotationError(place, f"answer {ids[0]} of question {asked}", "its own answer")
    return text


def _type(row: dict[str, Any], place: str) -> str:
    name = field(row, "type", str, place=place)
    if name not in TYPES:
        raise AnnotationError(f"{place}, type", repr(name), f"one of {list(TYPES)}")
    return name


def merge_rsvqa(reader: Rsvqa, base: Path, drop: Path, out: Path) -> tuple[str, ...]:
    """Active rows of each split by ``id``, and the same rows in ``all_*.json`` where it stands."""
    sources = [path.relative_to(base).as_posix() for path in reader.sources(base)]
    active: dict[str, list[Any]] = {"images": [], "answers": [], "questions": []}
    written: list[str] = []
    for part, rows in active.items():
        for name in (source for source in sources if source.endswith(f"_{part}.json")):
            if (drop / name).is_file():
                listed = field(read_json(drop / name), part, list, place=name)
                new = [row for row in listed if field(row, "active", bool, place=f"{name}, {part}")]
                write_joined(base, out, name, part, new)
                written.append(name)
                rows += new
        total = (Path(sources[0]).parent / f"all_{part}.json").as_posix()
        if (base / total).is_file():
            write_joined(base, out, total, part, rows)
            written.insert(0, total)
    if not any(active.values()):
        raise AnnotationError(str(drop), "no active row", f"files such as {sources[1]}")
    return tuple(written)
