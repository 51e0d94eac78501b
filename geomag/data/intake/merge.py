"""Annotations of a drop joined to those of a benchmark: new rows are appended, none is changed.

Here the layouts whose annotations are tables of rows; `merging_files` has the others.
"""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from geomag.data.benchmarks.fields import field
from geomag.data.benchmarks.registry import reader_for
from geomag.data.intake.merge_files import FILE_MERGERS
from geomag.data.layouts.encode import write_compact_json, write_pickle
from geomag.data.unpickle import load_plain_pickle
from geomag.errors import AnnotationError
from geomag.io import read_json

Merger = Callable[[Path, Path, Path], tuple[str, ...]]
"""From benchmark, drop and target folder; writes the joined files under the target and returns
their paths in the order in which they may be published: whoever reads in between finds a set that
is whole."""

_SHOWN = 10


def merge_rrsis_d(base: Path, drop: Path, out: Path) -> tuple[str, ...]:
    """Refs by ``ref_id``; annotations, images and categories by ``id``."""
    refs, instances = (
        path.relative_to(base).as_posix() for path in reader_for("rrsis_d").sources(base)
    )
    for name in (refs, instances):
        if not (drop / name).is_file():
            raise AnnotationError(str(drop), f"no {name}", "the layout of data/rrsis_d")
    old, new = read_json(base / instances), read_json(drop / instances)
    joined = {
        key: joined_rows(
            field(old, key, list, place=instances), field(new, key, list, place=instances),
            key="id", place=f"{instances}, {key}",
        )
        for key in ("images", "annotations", "categories")
    }  # fmt: skip
    listed = [load_plain_pickle(root / refs) for root in (base, drop)]
    for rows in listed:
        if not isinstance(rows, list):
            raise AnnotationError(refs, f"a {type(rows).__name__}", "a list of refs")
    _write(base, out, instances, old, {**old, **joined}, write_compact_json)
    _write(base, out, refs, listed[0], joined_rows(*listed, key="ref_id", place=refs), write_pickle)
    return instances, refs


def merge_rsvqa(benchmark: str, base: Path, drop: Path, out: Path) -> tuple[str, ...]:
    """Active rows of each split by ``id``, and the same rows in ``all_*.json`` where it stands."""
    sources = [path.relative_to(base).as_posix() for path in reader_for(benchmark).sources(base)]
    active: dict[str, list[Any]] = {"images": [], "answers": [], "questions": []}
    written: list[str] = []
    for part, rows in active.items():
        for name in (source for source in sources if source.endswith(f"_{part}.json")):
            if (drop / name).is_file():
                listed = field(read_json(drop / name), part, list, place=name)
                new = [row for row in listed if field(row, "active", bool, place=f"{name}, {part}")]
                _write_joined(base, out, name, part, new)
                written.append(name)
                rows += new
        total = (Path(sources[0]).parent / f"all_{part}.json").as_posix()
        if (base / total).is_file():
            _write_joined(base, out, total, part, rows)
            written.insert(0, total)
    if not any(active.values()):
        raise AnnotationError(str(drop), "no active row", f"files such as {sources[1]}")
    return tuple(written)


def merge_captions(benchmark: str, base: Path, drop: Path, out: Path) -> tuple[str, ...]:
    """Images of ``dataset.json`` by ``filename``."""
    (path,) = reader_for(benchmark).sources(base)
    name = path.relative_to(base).as_posix()
    if not (drop / name).is_file():
        raise AnnotationError(str(drop), f"no {name}", f"the layout of data/{benchmark}")
    old, new = read_json(base / name), read_json(drop / name)
    if isinstance(new, dict) and new.get("dataset", old.get("dataset")) != old.get("dataset"):
        raise AnnotationError(
            f"{name} of the drop", f"dataset {new['dataset']!r}", repr(old.get("dataset"))
        )
    rows = [field(tree, "images", list, place=name) for tree in (old, new)]
    joined = joined_rows(*rows, key="filename", place=f"{name}, images", kind=str)
    _write(base, out, name, old, {**old, "images": joined}, write_compact_json)
    return (name,)


MERGERS: Mapping[str, Merger] = {
    "rrsis_d": merge_rrsis_d,
    **{name: partial(merge_rsvqa, name) for name in ("rsvqa_lr", "rsvqa_hr")},
    **{name: partial(merge_captions, name) for name in ("ucm_captions", "sydney_captions")},
    **FILE_MERGERS,
}


def joined_rows(
    old: list[Any], new: list[Any], *, key: str, place: str, kind: type[Any] = int
) -> list[Any]:
    """The old rows with the new ones behind; a stub (``active: false``) gives way to its row.

    Raises:
        AnnotationError: Naming the ids that stand in both with another content.
    """
    found = list(old)
    positions = {row.get(key): i for i, row in enumerate(old) if isinstance(row, dict)}
    conflicts = []
    for number, row in enumerate(new):
        name = field(row, key, kind, place=f"{place} of the drop, [{number}]")
        at = positions.get(name)
        if at is None:
            positions[name] = len(found)
            found.append(row)
        elif found[at].get("active") is False:
            found[at] = row
        elif found[at] != row:
            conflicts.append(str(name))
    if conflicts:
        raise AnnotationError(
            place,
            f"{len(conflicts)} rows of another content than the drop's: {key} "
            f"{', '.join(conflicts[:_SHOWN])}",
            f"a {key} of its own for each new row",
        )
    return found


def _write_joined(base: Path, out: Path, name: str, part: str, new: list[Any]) -> None:
    tree = read_json(base / name)
    old = field(tree, part, list, place=name)
    joined = joined_rows(old, new, key="id", place=f"{name}, {part}")
    _write(base, out, name, tree, {**tree, part: joined}, write_compact_json)


def _write(
    base: Path, out: Path, name: str, old: Any, new: Any, writer: Callable[[Path, Any], None]
) -> None:
    """Write ``new``; nothing new leaves the bytes of the download as they are."""
    if new != old:
        writer(out / name, new)
        return
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(base / name, out / name)
