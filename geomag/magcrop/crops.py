"""Heatmaps at rest: what the Eq 4 probe found for each record, and the windows that follow.

H is stored, not boxes, so the window rule can change without a new probe; the second map of
pixel-level records (C_2 of Eq 2) belongs to the first window, which is stored with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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


def first_window(heat: Heat, *, width: int, height: int, rule: WindowRule) -> Window | None:
    """C_1; None where the rule finds the map doubtful."""
    window = select_window(heat.first, width=width, height=height, rule=rule)
    return None if window.is_doubtful else window


def windows(heat: Heat, *, width: int, height: int, rule: WindowRule) -> tuple[PixelBox, ...]:
    """C_1, or C_1 and C_2, or nothing where the map is doubtful."""
    outer = first_window(heat, width=width, height=height, rule=rule)
    if outer is None:
        return ()
    if heat.second is None:
        return (outer.box,)
    inner = second_window(outer.box, heat.second, rule)
    return (outer.box,) if inner is None else (outer.box, inner.box)


def write_heat(folder: Path, heat: Mapping[str, Heat], *, facts: Mapping[str, object]) -> None:
    """Write maps by record id: ``heatmaps.npz`` and, last, ``complete.json`` with ``facts``."""
    ids = list(heat)
    first = np.stack([heat[i].first for i in ids]) if ids else np.zeros((0, 1, 1), np.float32)
    has_second = [heat[i].second is not None for i in ids]
    second = [h.second for h in heat.values() if h.second is not None]
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "heatmaps.npz") as temporary, temporary.open("wb") as out:
        np.savez(
            out,
            first=first.astype(np.float32),
            second=np.stack(second).astype(np.float32)
            if second
            else np.zeros((0, 1, 1), np.float32),
        )
    write_json(folder / "index.json", {"ids": ids, "has_second": has_second})
    write_json(folder / MARKER, {"n": len(ids), **facts})


def read_heat(folder: Path, *, ids: Sequence[str] | None = None) -> dict[str, Heat]:
    """Read the maps that `write_heat` wrote, all or those of ``ids``.

    Raises:
        AnnotationError: If the folder was never finished.
    """
    if not (folder / MARKER).is_file():
        raise AnnotationError(str(folder), f"no {MARKER}", remedy="run the crops stage again")
    index = read_json(folder / "index.json")
    wanted = None if ids is None else set(ids)
    found: dict[str, Heat] = {}
    with np.load(folder / "heatmaps.npz", allow_pickle=False) as stored:
        first, second = stored["first"], stored["second"]
    at = 0
    for number, (name, nested) in enumerate(zip(index["ids"], index["has_second"], strict=True)):
        if wanted is None or name in wanted:
            found[name] = Heat(first[number], second[at] if nested else None)
        at += bool(nested)
    return found
