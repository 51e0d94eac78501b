"""AID and NWPU-RESISC45: one folder per class, every image a zero-shot test.

See protocols/scenes#files.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from geomag.data.benchmarks import Split, Task
from geomag.data.benchmarks.merge_lines import read_lines, same_file, write_joined_lines
from geomag.data.benchmarks.tree import SUFFIXES, ImageFolder, is_litter, locate
from geomag.data.records import Record
from geomag.errors import AnnotationError
from geomag.parse import read_text


@dataclass(frozen=True, slots=True)
class Scenes:
    """AID: 10,000 JPEG in 30 classes, 600 x 600; RESISC45: 31,500 in 45, 256 x 256; research use.

    ``<Class>/<class>_<n>.jpg``. Ids are ``<class folder>/<file>``, sorted as strings. A folder
    that is no class is refused, since loaders that number folders would shift by it. RESISC45's
    split lists, where present, are noted on the records and change no split.
    """

    benchmark: str
    classes: Mapping[str, str]
    """Folder to display name."""
    lists: tuple[str, ...] = ()
    """Split lists by file name, noted where they stand."""

    def sources(self, root: Path) -> tuple[Path, ...]:
        """RESISC45's split lists where present; the folders themselves are the annotation."""
        folder = self._folder(root)
        homes = dict.fromkeys((folder, folder.parent if folder != root else folder))
        return tuple(
            home / name for home in homes for name in self.lists if (home / name).is_file()
        )

    def read(self, root: Path) -> Iterator[Record]:
        """Records by class folder, then by file name, in string order."""
        folder = self._folder(root)
        noted = _noted(self.sources(root))
        for entry in sorted(os.scandir(folder), key=lambda e: e.name):
            if not entry.is_dir() or is_litter(entry.name):
                continue
            if entry.name not in self.classes:
                raise AnnotationError(
                    entry.path,
                    "not a class folder",
                    f"the {len(self.classes)} class folders",
                    "move it away",
                )
            yield from self._read_class(root, Path(entry.path), noted)

    def _folder(self, root: Path) -> Path:
        wanted = f"the {len(self.classes)} class folders, such as {next(iter(self.classes))}"
        return locate(root, lambda names: not names.isdisjoint(self.classes), wanted=wanted)

    def _read_class(self, root: Path, folder: Path, noted: Mapping[str, str]) -> Iterator[Record]:
        images = ImageFolder(root, folder)
        names = sorted(entry.name for entry in folder.iterdir() if _is_image(entry))
        if len({name.rsplit(".", 1)[0].lower() for name in names}) != len(names):
            raise AnnotationError(
                str(folder), f"two images of one name among {_twins(names)}", "each image once"
            )
        for name in names:
            place = f"{folder.name}/{name}"
            image = images.path(name.rsplit(".", 1)[0], place=place)
            info = images.info(image)
            notes = [*info.notes, *([noted[name]] if name in noted else [])]
            if not name.lower().startswith(folder.name.lower()):
                notes.append("name_of_another_class")
            yield Record(
                benchmark=self.benchmark,
                id=place,
                split=Split.TEST,
                task=Task.SCENE,
                image=image,
                width=info.width,
                height=info.height,
                answers=(self.classes[folder.name],),
                kind=self.classes[folder.name],
                notes=tuple(notes),
            )


def _is_image(path: Path) -> bool:
    return not path.name.startswith(".") and path.suffix.lower() in SUFFIXES


def _twins(names: list[str]) -> list[str]:
    stems = [name.rsplit(".", 1)[0].lower() for name in names]
    return [name for name, stem in zip(names, stems, strict=True) if stems.count(stem) > 1][:20]


def _noted(lists: tuple[Path, ...]) -> dict[str, str]:
    """File name to ``list_train`` ...: the published split lists, kept as notes."""
    return {
        name: f"list_{path.stem.rsplit('-', 1)[1]}"
        for path in lists
        for name in read_text(path).split()
    }


_SHOWN = 10


def merge_scenes(reader: Scenes, base: Path, drop: Path, out: Path) -> tuple[str, ...]:
    """Pictures by class folder; split lists, where they stand, get the drop's lines.

    A picture is of one class: the same bytes under another one are refused.
    """
    folders = {path.parent.name for path in drop.rglob("*") if path.is_file()}
    if not folders & set(reader.classes):
        raise AnnotationError(
            str(drop), f"folders {sorted(folders)[:_SHOWN]}", f"class folders of {reader.benchmark}"
        )
    _refuse_relabelled(base, drop, reader.classes)
    names = [
        name
        for name in (path.relative_to(base).as_posix() for path in reader.sources(base))
        if (drop / name).is_file()
    ]
    for name in names:
        lines = read_lines(base / name)
        new = [line for line in read_lines(drop / name) if line not in set(lines)]
        write_joined_lines(base / name, out / name, [*lines, *new])
    return tuple(names)


def _refuse_relabelled(base: Path, drop: Path, classes: Mapping[str, str]) -> None:
    """Refuse a picture of the drop that stands under another class, there or in the benchmark."""

    def pictures(root: Path) -> list[Path]:
        found = (path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        return sorted(path for path in found if path.parent.name in classes)

    of_drop, by_size = pictures(drop), dict[int, list[Path]]()
    for path in (*pictures(base), *of_drop):
        by_size.setdefault(path.stat().st_size, []).append(path)
    for path in of_drop:
        alike = [p for p in by_size[path.stat().st_size] if p.parent.name != path.parent.name]
        if other := next((p for p in alike if same_file(p, path)), None):
            raise AnnotationError(
                f"{path.relative_to(drop).as_posix()} of the drop",
                f"the picture {other.parent.name}/{other.name}, under another class",
                "a picture of its own for each name",
            )
