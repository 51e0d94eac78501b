"""A drop joined to DIOR-RSVG."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from geomag.data.benchmarks.dior_rsvg.reader import READER
from geomag.data.benchmarks.merge_lines import (
    conflict,
    copy_file,
    read_lines,
    same_file,
    write_joined_lines,
)
from geomag.errors import AnnotationError
from geomag.io import visible
from geomag.parse import read_xml

Item = tuple[str, int]
"""An object: stem of its file, and its place in it."""


def merge(base: Path, drop: Path, out: Path) -> tuple[str, ...]:
    """Annotation files behind the last one; the drop's split lists count its own objects.

    A record's id is the running index of its object over the sorted files, so a file that sorts
    between those there are would give every record behind it another id. The lists come last: a
    set that was cut off between files and lists is mended by the same drop.
    """
    names = [
        path.relative_to(base).as_posix() for path in READER.sources(base) if path.suffix == ".txt"
    ]
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
        if (base / path).is_file() and not same_file(base / path, drop / path):
            raise conflict(place, "the file", path.as_posix())
        if stem in added and stem < last:
            raise AnnotationError(
                place,
                f"sorts before {last}.xml: ids are running indices, and all behind it would change",
                f"a name behind {last}",
            )
        copy_file(drop / path, out / path)
    for (stem, k), split in new.splits.items():
        if stem not in added and old.splits[stem, k] != split:
            raise conflict(f"{split} of the drop", f"object {k} of {stem}.xml", old.splits[stem, k])
    counts = {**old.counts, **new.counts}
    order = [(stem, k) for stem in sorted(counts) for k in range(counts[stem])]
    index = {item: position for position, item in enumerate(order)}
    for name in names:
        more = [str(index[item]) for item in new.lists[name] if item[0] in added]
        write_joined_lines(base / name, out / name, [*read_lines(base / name), *more])
    return (*((files / f"{stem}.xml").as_posix() for stem in new.counts), *names)


@dataclass(frozen=True, slots=True)
class _ObjectLists:
    """The objects of a DIOR-RSVG tree and the split lists that name them."""

    counts: dict[str, int]
    """Objects by file, in the files' order."""
    lists: dict[str, list[Item]]
    """Objects by split list, in its order."""
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
                for number, line in enumerate(read_lines(root / name), start=1)
            ]
            for stem, k in lists[name]:
                if splits[stem, k]:
                    raise conflict(f"{root / name}", f"object {k} of {stem}.xml", splits[stem, k])
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
