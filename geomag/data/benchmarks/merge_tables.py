"""Rows of a drop joined to those of a benchmark: new ones are appended, none is changed."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geomag.data.benchmarks.fields import field
from geomag.data.layouts.encode import write_compact_json
from geomag.errors import AnnotationError
from geomag.io import read_json

_SHOWN = 10


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


def write_joined(base: Path, out: Path, name: str, part: str, new: list[Any]) -> None:
    """Write the table ``part`` of a JSON file with new rows behind the old ones."""
    tree = read_json(base / name)
    old = field(tree, part, list, place=name)
    joined = joined_rows(old, new, key="id", place=f"{name}, {part}")
    write_changed(base, out, name, tree, {**tree, part: joined}, write_compact_json)


def write_changed(
    base: Path, out: Path, name: str, old: Any, new: Any, writer: Callable[[Path, Any], None]
) -> None:
    """Write ``new``; nothing new leaves the bytes of the download as they are."""
    if new != old:
        writer(out / name, new)
        return
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(base / name, out / name)
