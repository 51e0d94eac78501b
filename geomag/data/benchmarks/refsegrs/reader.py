"""RefSegRS: a phrase and a grey mask file per record (protocols/referring#refsegrs-files)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geomag.data.benchmarks import Split, Task
from geomag.data.benchmarks.tree import ImageFolder, first_folder, locate_with
from geomag.data.images import read_grey
from geomag.data.records import Record
from geomag.errors import AnnotationError
from geomag.geometry import encode_mask
from geomag.parse import read_text

MASK_THRESHOLD = 50
"""A mask pixel is foreground above this grey value (protocols/referring#refsegrs-files)."""

_SPLITS = (Split.TRAIN, Split.VAL, Split.TEST)
_TREE = "RefSegRS/{images,masks}/<id>.tif and RefSegRS/output_phrase_{train,val,test}.txt"


@dataclass(frozen=True, slots=True)
class RefSegRS:
    """2,172 / 431 / 1,817 phrases in train / val / test; SkyScapes, 512 x 512, 13 cm; CC-BY-4.0.

    Each line of ``output_phrase_<split>.txt`` is an id, one space, the phrase. Ids are file stems
    of ``images`` and ``masks``; one scene recurs under several ids. Masks are single-band grey and
    may have many parts; values other than 0 and 255 are noted.
    """

    benchmark: str = "refsegrs"

    def sources(self, root: Path) -> tuple[Path, ...]:
        """The three lists of phrases."""
        names = [f"output_phrase_{split}.txt" for split in _SPLITS]
        folder = locate_with(root, *names, wanted=_TREE)
        return tuple(folder / name for name in names)

    def read(self, root: Path) -> Iterator[Record]:
        """Records by split in the order of the lines."""
        lists = self.sources(root)
        folder = lists[0].parent
        images = ImageFolder(root, first_folder(folder, "images", "Images"))
        masks = ImageFolder(root, first_folder(folder, "masks", "Masks"))
        lines = {split: list(_phrases(path)) for split, path in zip(_SPLITS, lists, strict=True)}
        for index in (images, masks):
            index.require(stem for rows in lines.values() for stem, _, _ in rows)
        for split, rows in lines.items():
            for stem, phrase, place in rows:
                yield _record(split, stem, phrase, images, masks, place)


def _phrases(path: Path) -> Iterator[tuple[str, str, str]]:
    """``(id, phrase, place)`` of each line; a final line break is no line."""
    for number, line in enumerate(read_text(path).removesuffix("\n").split("\n"), start=1):
        place = f"{path.name}, line {number}"
        stem, space, phrase = line.partition(" ")
        if not (space and stem.isascii() and stem.isdecimal() and phrase.strip()):
            raise AnnotationError(place, repr(line), "an integer id, one space, a phrase")
        yield stem, phrase.strip(), place


def _record(
    split: Split, stem: str, phrase: str, images: ImageFolder, masks: ImageFolder, place: str
) -> Record:
    image, mask_file = images.path(stem, place=place), masks.path(stem, place=place)
    info, mask_info = images.info(image), masks.info(mask_file)
    if (info.width, info.height) != (mask_info.width, mask_info.height):
        raise AnnotationError(
            f"{place}, id {stem}",
            f"mask of {mask_info.width} x {mask_info.height}",
            f"the image's {info.width} x {info.height}",
        )
    grey = read_grey(masks.root / mask_file)
    mask = grey > MASK_THRESHOLD
    notes = [*info.notes]
    if not np.isin(grey, (0, 255)).all():
        notes.append("grey_mask")
    if not mask.any():
        notes.append("empty_mask")
    return Record(
        benchmark="refsegrs",
        id=stem,
        split=split,
        task=Task.REFERRING,
        image=image,
        width=info.width,
        height=info.height,
        text=phrase,
        masks=(encode_mask(mask),),
        notes=tuple(notes),
    )


READER = RefSegRS()
