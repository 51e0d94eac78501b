"""Heatmaps at rest: what the Eq 4 probe found for each record, and the windows that follow.

H is stored, not boxes, so the window rule can change without a new probe of the image; the second
map of pixel-level records (C_2 of Eq 2) belongs to the first window, which is stored with it. Where
a rule finds another C_1, predictions probe that window anew and training refuses the maps.
"""

import os
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomag.errors import AnnotationError
from geomag.geometry import PixelBox
from geomag.io import atomic_path, read_json, write_json
from geomag.magcrop.second_window import second_window
from geomag.magcrop.window import Window, WindowRule, select_window

MARKER = "complete.json"


@dataclass(frozen=True, slots=True)
class Heat:
    """Maps of one record."""

    first: NDArray[np.float32]
    """``[gh, gw]`` over the image."""
    second: NDArray[np.float32] | None = None
    """``[gh, gw]`` over the first window."""
    box: PixelBox | None = None
    """The first window that ``second`` is of: another rule's C_1 may be another."""


def first_window(heat: Heat, *, width: int, height: int, rule: WindowRule) -> Window | None:
    """C_1; None where the rule finds the map doubtful."""
    window = select_window(heat.first, width=width, height=height, rule=rule)
    return None if window.is_doubtful else window


def windows(heat: Heat, *, width: int, height: int, rule: WindowRule) -> tuple[PixelBox, ...]:
    """C_1, or C_1 and C_2, or nothing where the map is doubtful.

    Raises:
        ValueError: If the second map was probed in another window than this rule's C_1.
    """
    outer = first_window(heat, width=width, height=height, rule=rule)
    if outer is None:
        return ()
    if heat.second is None:
        return (outer.box,)
    if heat.box != outer.box:
        raise ValueError(f"the second map is of {heat.box}, and the first window is {outer.box}")
    inner = second_window(outer.box, heat.second, rule)
    return (outer.box,) if inner is None else (outer.box, inner.box)


def write_heat(folder: Path, heat: Mapping[str, Heat], *, facts: Mapping[str, str]) -> None:
    """Write maps by record id: ``heatmaps.npz`` and, last, ``complete.json`` with ``facts``."""
    ids = list(heat)
    nested = [h for h in heat.values() if h.second is not None]
    none = np.zeros((0, 1, 1), np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "heatmaps.npz") as temporary, temporary.open("wb") as out:
        np.savez(
            out,
            first=np.stack([h.first for h in heat.values()], dtype=np.float32) if ids else none,
            second=np.stack([_second(h) for h in nested], dtype=np.float32) if nested else none,
            boxes=np.array([_box(h) for h in nested], dtype=np.float64).reshape(-1, 4),
        )
    has_second = [h.second is not None for h in heat.values()]
    write_json(folder / "index.json", {"ids": ids, "has_second": has_second})
    write_json(folder / MARKER, {"n": len(ids), **facts})


def _second(heat: Heat) -> NDArray[np.float32]:
    assert heat.second is not None
    return heat.second


def _box(heat: Heat) -> tuple[float, ...]:
    if heat.box is None:
        raise ValueError("a second map needs the window that it was probed in")
    return (heat.box.x0, heat.box.y0, heat.box.x1, heat.box.y1)


class HeatStore(Mapping[str, Heat]):
    """The maps that `write_heat` wrote, by record id; each is read from the disk when asked for.

    Args:
        folder: Of one benchmark's crops stage.
        facts: What the maps must have been made from, as `write_heat` was told; others are not
            compared.

    Raises:
        AnnotationError: If the folder was never finished, or was made from something else.
    """

    def __init__(self, folder: Path, facts: Mapping[str, str]) -> None:
        remedy = f"run `geomag crops {folder.name}` with this profile"
        if not (folder / MARKER).is_file():
            raise AnnotationError(str(folder), f"no {MARKER}", remedy=remedy)
        made = read_json(folder / MARKER)
        other = sorted(name for name, digest in facts.items() if made.get(name) != digest)
        if other:
            raise AnnotationError(
                str(folder / MARKER), f"heatmaps of another {', '.join(other)}", remedy=remedy
            )
        index = read_json(folder / "index.json")
        has_second = index["has_second"]
        places = accumulate(map(int, has_second), initial=0)
        self._rows = {
            name: (number, place if nested else None)
            for number, (name, nested, place) in enumerate(
                zip(index["ids"], has_second, places, strict=False)
            )
        }
        self._first, self._second, self._boxes = (
            mapped_array(folder / "heatmaps.npz", name) for name in ("first", "second", "boxes")
        )

    def __getitem__(self, record_id: str) -> Heat:
        """Maps of one record."""
        number, place = self._rows[record_id]
        first = np.array(self._first[number])
        if place is None:
            return Heat(first)
        box = PixelBox(*self._boxes[place].tolist())
        return Heat(first, np.array(self._second[place]), box)

    def __iter__(self) -> Iterator[str]:
        """Record ids in the order they were probed."""
        return iter(self._rows)

    def __len__(self) -> int:
        """Records that were probed."""
        return len(self._rows)


def mapped_array(path: Path, name: str) -> NDArray[Any]:
    """An array of an uncompressed ``.npz`` left on the disk: pages are read as they are used.

    Raises:
        AnnotationError: If the array is compressed or absent.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo(f"{name}.npy")
    except (KeyError, OSError, zipfile.BadZipFile) as broken:
        raise AnnotationError(
            str(path), f"no array {name} ({broken})", remedy="run the crops stage again"
        ) from broken
    if member.compress_type != zipfile.ZIP_STORED:
        raise AnnotationError(str(path), f"array {name} is compressed", "an uncompressed one")
    with path.open("rb") as handle:
        handle.seek(member.header_offset + 26)  # the name's and the extra field's length
        n_name, n_extra = struct.unpack("<HH", handle.read(4))
        handle.seek(n_name + n_extra, os.SEEK_CUR)
        version = np.lib.format.read_magic(handle)
        if version != (1, 0):
            raise AnnotationError(str(path), f"array {name} of format {version}", "format (1, 0)")
        shape, _, dtype = np.lib.format.read_array_header_1_0(handle)
        if 0 in shape:  # nothing to map
            return np.zeros(shape, dtype)
        return np.memmap(path, dtype, "r", handle.tell(), shape)
