"""RSVQA-LR and RSVQA-HR: questions about Sentinel-2 and aerial tiles (protocols/rsvqa#files)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field
from typing_extensions import TypedDict

from geomag.data.benchmarks import Split, Task
from geomag.data.benchmarks.fields import field
from geomag.data.benchmarks.merge_tables import write_joined
from geomag.data.benchmarks.rows import rows_of
from geomag.data.benchmarks.tree import ImageFolder, first_folder, locate_with
from geomag.data.records import Record
from geomag.errors import AnnotationError, ImageError
from geomag.io import read_json

QuestionType = Literal["presence", "comp", "count", "area", "rural_urban"]
"""Question types as the files spell them; area is HR only, rural_urban LR only."""

_KINDS = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
_FOLDERS = ("Images_LR", "Data", "Images", "images")


class _Image(TypedDict):
    """An active row of ``*_images.json``."""

    id: Annotated[int, Field(description="Stem of the picture's file.")]


class _Question(TypedDict):
    """An active row of ``*_questions.json``."""

    id: Annotated[int, Field(description="Id of the record.")]
    img_id: Annotated[int, Field(description="Id of the image that it asks about.")]
    type: Annotated[QuestionType, Field(description="What it asks for.")]
    question: Annotated[str, Field(description="The question, raw.")]
    answers_ids: Annotated[list[int], Field(description="Ids of its answers: there is one.")]


class _Answer(TypedDict):
    """An active row of ``*_answers.json``."""

    id: Annotated[int, Field(description="What ``answers_ids`` of the question names.")]
    question_id: Annotated[int, Field(description="Id of the question that it answers.")]
    answer: Annotated[str, Field(description="``yes``, a number, or an area in m2; raw.")]


R = TypeVar("R", _Image, _Question, _Answer)


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
        image_ids = _active(images_path, "image", _Image)
        images.require(str(image_id) for image_id in image_ids)
        answers = _active(answers_path, "answer", _Answer)
        for question_id, question in _active(questions_path, "question", _Question).items():
            place = f"{questions_path.name}, question {question_id}"
            image_id = question["img_id"]
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
                text=question["question"],
                answers=(_answer_of(question, answers, place),),
                kind=question["type"],
                notes=info.notes,
            )


def _active(path: Path, what: str, kind: type[R]) -> dict[int, R]:
    """Rows of a split by id, stubs left out before anything else is read of them."""
    table = f"{what}s"
    listed = field(read_json(path), table, list, place=path.name)
    for position, row in enumerate(listed):
        if not isinstance(row, dict) or not isinstance(row.get("active"), bool):
            field(row, "active", bool, place=f"{path.name}, {table}[{position}]")
    active = [row for row in listed if row["active"]]
    rows = rows_of(
        kind, active, place=lambda at: f"{path.name}, {what} {active[at].get('id', f'[{at}]')}"
    )
    by_id = {row["id"]: row for row in rows}
    if len(by_id) != len(rows):
        _refuse_double([row["id"] for row in rows], f"{path.name}, active {table}")
    return by_id


def _refuse_double(ids: list[int], place: str) -> None:
    seen: dict[int, int] = {}
    for at, one in enumerate(ids):
        if one in seen:
            raise AnnotationError(
                place, f"id {one} stands at {seen[one]} and at {at}", "each id once"
            )
        seen[one] = at


def _answer_of(question: _Question, answers: dict[int, _Answer], place: str) -> str:
    ids = question["answers_ids"]
    if len(ids) != 1 or ids[0] not in answers:
        raise AnnotationError(f"{place}, answers_ids", f"{ids}", "exactly one active answer")
    answer = answers[ids[0]]
    if answer["question_id"] != question["id"]:
        raise AnnotationError(
            place, f"answer {ids[0]} of question {answer['question_id']}", "its own answer"
        )
    return answer["answer"]


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
