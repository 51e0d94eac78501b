"""UCM-Captions and Sydney-Captions: five sentences per image (protocols/captions#files)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from geomag.data.benchmarks import Split, Task
from geomag.data.benchmarks.fields import field, file_stem
from geomag.data.benchmarks.merge_tables import joined_rows, write_changed
from geomag.data.benchmarks.rows import row_of
from geomag.data.benchmarks.tree import ImageFolder, first_folder, locate_with
from geomag.data.layouts.encode import write_compact_json
from geomag.data.records import Record
from geomag.errors import AnnotationError
from geomag.io import read_json

N_SENTENCES = 5
"""References per image; repeated ones are kept, since BLEU and CIDEr change without."""


class _Sentence(TypedDict):
    """One caption of an image."""

    raw: Annotated[str, Field(description="The sentence as somebody wrote it.")]


class _Image(TypedDict):
    """One entry of ``images``."""

    split: Annotated[Literal["train", "val", "test"], Field(description="Split of the image.")]
    sentences: Annotated[list[_Sentence], Field(description="Its captions: there are five.")]


@dataclass(frozen=True, slots=True)
class Captions:
    """UCM: 1,680 / 210 / 210 images, 256 x 256; Sydney: 497 / 58 / 58, 500 x 500; research use.

    ``dataset.json`` (Karpathy layout, no ``filepath``) beside ``imgs`` with ``<n>.tif``; mirrors
    say ``images`` and hold jpg or png under the json's .tif names. Ids are file stems; answers are
    the raw sentences, typos and repetitions included.
    """

    benchmark: str
    word: str
    """What the file's own ``dataset`` name contains, if it has one."""
    n_images: int
    """Images of the published set; its numbering tells the class only when the set is whole."""
    class_of: Callable[[int], str]
    """Class by an image's number, from 1."""

    def sources(self, root: Path) -> tuple[Path, ...]:
        """The annotation file."""
        wanted = "dataset.json beside imgs/<n>.tif"
        _refuse_precomp(root, wanted)
        return (locate_with(root, "dataset.json", wanted=wanted) / "dataset.json",)

    def read(self, root: Path) -> Iterator[Record]:
        """Records in the order of the json."""
        (path,) = self.sources(root)
        tree = read_json(path)
        rows = field(tree, "images", list, place=path.name)
        self._refuse_swapped(tree, path)
        images = ImageFolder(root, first_folder(path.parent, "imgs", "images", "Images"))
        stems = []
        for position, row in enumerate(rows):
            place = f"{path.name}, images[{position}]"
            stems.append(file_stem(field(row, "filename", str, place=place), place=place))
        images.require(stems)
        for row, stem in zip(rows, stems, strict=True):
            kind = self._kind(stem) if len(rows) == self.n_images else ""
            yield self._record(row, stem, kind, images, f"{path.name}, image {stem}")

    def _refuse_swapped(self, tree: dict[str, Any], path: Path) -> None:
        name = str(tree.get("dataset", self.word))
        if self.word not in name.lower():
            raise AnnotationError(
                str(path), f"dataset {name!r}", f"the file of {self.benchmark}", "swap the folders"
            )

    def _kind(self, stem: str) -> str:
        """Class by the published numbering; files are in class order.

        See protocols/captions#splits.
        """
        number = int(stem) if stem.isdecimal() else 0
        if not 1 <= number <= self.n_images:
            return ""
        return self.class_of(number)

    def _record(
        self, row: dict[str, Any], stem: str, kind: str, images: ImageFolder, place: str
    ) -> Record:
        entry = row_of(_Image, row, place=place)
        image = images.path(stem, place=place)
        info = images.info(image)
        return Record(
            benchmark=self.benchmark,
            id=stem,
            split=Split(entry["split"]),
            task=Task.CAPTION,
            image=image,
            width=info.width,
            height=info.height,
            answers=_raw(entry["sentences"], place),
            kind=kind,
            notes=(*info.notes, *([] if info.mode == "RGB" else [f"mode_{info.mode}"])),
        )


def _refuse_precomp(root: Path, wanted: str) -> None:
    """Refuse the layout of retrieval repositories, whose train split holds the validation one."""
    lists = ("train_caps.txt", "train_filename.txt")
    for folder in (root, *(path for path in sorted(root.glob("*")) if path.is_dir())):
        if not (folder / "dataset.json").exists() and any((folder / n).exists() for n in lists):
            raise AnnotationError(
                str(folder),
                "lists of sentences as retrieval repositories keep them (precomp), which merge "
                "train and val",
                wanted,
                "fetch dataset.json of the published split",
            )


def _raw(sentences: list[_Sentence], place: str) -> tuple[str, ...]:
    raw = tuple(sentence["raw"] for sentence in sentences)
    if len(raw) != N_SENTENCES or not all(sentence.strip() for sentence in raw):
        raise AnnotationError(
            f"{place}, sentences",
            f"{sum(bool(sentence.strip()) for sentence in raw)} of {len(raw)} hold text",
            f"{N_SENTENCES} sentences",
        )
    return raw


def merge_captions(reader: Captions, base: Path, drop: Path, out: Path) -> tuple[str, ...]:
    """Images of ``dataset.json`` by ``filename``."""
    (path,) = reader.sources(base)
    name = path.relative_to(base).as_posix()
    if not (drop / name).is_file():
        raise AnnotationError(str(drop), f"no {name}", f"the layout of data/{reader.benchmark}")
    old, new = read_json(base / name), read_json(drop / name)
    if isinstance(new, dict) and new.get("dataset", old.get("dataset")) != old.get("dataset"):
        raise AnnotationError(
            f"{name} of the drop", f"dataset {new['dataset']!r}", repr(old.get("dataset"))
        )
    rows = [field(tree, "images", list, place=name) for tree in (old, new)]
    joined = joined_rows(*rows, key="filename", place=f"{name}, images", kind=str)
    write_changed(base, out, name, old, {**old, "images": joined}, write_compact_json)
    return (name,)
