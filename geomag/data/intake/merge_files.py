"""Drops whose annotation is lines, files or folders: RefSegRS, GeoPixelD, DIOR-RSVG, scenes.

What is no annotation here (pictures, masks) is copied by whoever calls.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from geomag.data.benchmarks.registry import reader_for
from geomag.data.benchmarks.tree import locate_with
from geomag.data.classes import AID_CLASSES, RESISC45_CLASSES
from geomag.data.layouts.encode import write_lines
from geomag.errors import AnnotationError
from geomag.io import file_digest, visible
from geomag.parse import read_text, read_xml

_SHOWN = 10


def merge_refsegrs(base: Path, drop: Path, out: Path) -> tuple[str, ...]:
    """Lines of ``output_phrase_<split>.txt`` by their id, which one split has once."""
    names = _sources(base, "refsegrs")
    known = {id_: (name, line) for name in names for id_, line in _by_id(base / name)}
    written = []
    for name in names:
        lines = _lines(base / name)
        for id_, line in _by_id(drop / name) if (drop / name).is_file() else ():
            if id_ not in known:
                known[id_] = name, line
                lines.append(line)
            elif known[id_] != (name, line):
                raise _conflict(f"{name} of the drop", f"id {id_}", known[id_][0])
        _write_lines(base / name, out / name, lines)
        written.append(name)
    if not any((drop / name).is_file() for name in names):
        raise AnnotationError(str(drop), f"none of {', '.join(names)}", "the layout of refsegrs")
    return tuple(written)


def merge_geopixeld(base: Path, drop: Path, out: Path) -> tuple[str, ...]:
    """A JSON file a patch: new ones are added, none is changed."""
    folder = locate_with(base, "train", "test", wanted="GeoPixelD/{train,test}")
    place = folder.relative_to(base)
    parts = [place / "train", place / "test"]
    new = [path.relative_to(drop) for part in parts for path in visible(drop / part, "*.json")]
    if not new:
        raise AnnotationError(str(drop), f"no {parts[0].as_posix()}/*.json", "one for each patch")
    for name in new:
        for part in parts:
            other = base / part / name.name
            if other.is_file() and (part != name.parent or not _same(other, drop / name)):
                raise _conflict(f"{name.as_posix()} of the drop", "the patch", part.as_posix())
        _copy(drop / name, out / name)
    return tuple(name.as_posix() for name in new)


def merge_dior_rsvg(base: Path, drop: Path, out: Path) -> tuple[str, ...]:
    """Annotation files behind the last one; the drop's split lists count its own objects.

    A record's id is the running index of its object over the sorted files, so a file that sorts
    between those there are would give every record behind it another id. The lists come last: a
    set that was cut off between files and lists is mended by the same drop.
    """
    names = [name for name in _sources(base, "dior_rsvg") if name.endswith(".txt")]
    files = Path(names[0]).parent / "Annotations"
    for name in names:
        if not (drop / name).is_file():
            raise AnnotationError(str(drop), f"no {name}", "the layout of data/dior_rsvg")
    old, new = _ObjectLists.read(base, files, names), _ObjectLists.read(drop, files, names)
    last = max((stem for (stem, _), split in old.splits.items() if split), default="")
    added = {stem for stem in new.counts if not old.splits.get((stem, 0))}
    for stem in new.counts:
        path = files / f"{stem}.xml"
        place = f"{path.as_posix()} of the drop"
        if (base / path).is_file() and not _same(base / path, drop / path):
            raise _conflict(place, "the file", path.as_posix())
        if stem in added and stem < last:
            raise AnnotationError(
                place,
                f"sorts before {last}.xml: ids are running indices, and all behind it would change",
                f"a name behind {last}",
            )
        _copy(drop / path, out / path)
    for (stem, k), split in new.splits.items():
        if stem not in added and old.splits[stem, k] != split:
            raise _conflict(
                f"{split} of the drop", f"object {k} of {stem}.xml", old.splits[stem, k]
            )
    counts = {**old.counts, **new.counts}
    order = [(stem, k) for stem in sorted(counts) for k in range(counts[stem])]
    index = {item: position for position, item in enumerate(order)}
    for name in names:
        more = [str(index[item]) for item in new.lists[name] if item[0] in added]
        _write_lines(base / name, out / name, [*_lines(base / name), *more])
    return (*((files / f"{stem}.xml").as_posix() for stem in new.counts), *names)


def merge_scenes(
    benchmark: str, classes: Mapping[str, str], base: Path, drop: Path, out: Path
) -> tuple[str, ...]:
    """Pictures by class folder; RESISC45's lists, where they stand, get the drop's lines."""
    folders = {path.parent.name for path in drop.rglob("*") if path.is_file()}
    if not folders & set(classes):
        raise AnnotationError(
            str(drop), f"folders {sorted(folders)[:_SHOWN]}", f"class folders of {benchmark}"
        )
    names = [name for name in _sources(base, benchmark) if (drop / name).is_file()]
    for name in names:
        lines = _lines(base / name)
        new = [line for line in _lines(drop / name) if line not in set(lines)]
        _write_lines(base / name, out / name, [*lines, *new])
    return tuple(names)


FILE_MERGERS: Mapping[str, Callable[[Path, Path, Path], tuple[str, ...]]] = {
    "refsegrs": merge_refsegrs,
    "geopixeld": merge_geopixeld,
    "dior_rsvg": merge_dior_rsvg,
    "aid": partial(merge_scenes, "aid", AID_CLASSES),
    "resisc45": partial(merge_scenes, "resisc45", RESISC45_CLASSES),
}

Item = tuple[str, int]
"""An object: stem of its file, and its place in it."""


def _sources(base: Path, benchmark: str) -> list[str]:
    return [p.relative_to(base).as_posix() for p in reader_for(benchmark).sources(base)]


def _lines(path: Path) -> list[str]:
    text = read_text(path)
    return text.removesuffix("\n").split("\n") if text else []


def _by_id(path: Path) -> list[tuple[str, str]]:
    """Id and line; one that is no record is left to the reader, which names it."""
    return [(line.partition(" ")[0], line) for line in _lines(path)]


@dataclass(frozen=True, slots=True)
class _ObjectLists:
    """The objects of a DIOR-RSVG tree and the split lists that name them."""

    counts: dict[str, int]
    """Objects by file, in the files' order."""
    lists: dict[str, list[Item]]
    """By split list, in its order."""
    splits: dict[Item, str]
    """The list of every object; empty if none has it."""

    @classmethod
    def read(cls, root: Path, files: Path, names: Iterable[str]) -> "_ObjectLists":
        counts = {path.stem: _count(path) for path in visible(root / files, "*.xml")}
        items = [(stem, k) for stem, count in counts.items() for k in range(count)]
        splits = dict.fromkeys(items, "")
        lists: dict[str, list[Item]] = {}
        for name in names:
            lists[name] = [
                items[_index(line, len(items), f"{root / name}, line {number}")]
                for number, line in enumerate(_lines(root / name), start=1)
            ]
            for stem, k in lists[name]:
                if splits[stem, k]:
                    raise _conflict(f"{root / name}", f"object {k} of {stem}.xml", splits[stem, k])
                splits[stem, k] = name
        return cls(counts, lists, splits)


def _index(line: str, count: int, place: str) -> int:
    if not (line.isascii() and line.isdecimal()) or int(line) >= count:
        raise AnnotationError(
            place, repr(line), f"an object index from 0 to {count - 1} over the files beside it"
        )
    return int(line)


def _count(path: Path) -> int:
    """Objects of an annotation file."""
    return len(read_xml(path).findall("object"))


def _conflict(place: str, what: str, where: str) -> AnnotationError:
    return AnnotationError(
        place, f"{what} stands elsewhere or with another content, in {where}", "new names and ids"
    )


def _same(one: Path, other: Path) -> bool:
    return file_digest(one) == file_digest(other)


def _write_lines(base: Path, out: Path, lines: list[str]) -> None:
    """Nothing new leaves the bytes of the download as they are."""
    if lines == _lines(base):
        _copy(base, out)
    else:
        write_lines(out, lines)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
