"""A scene asked window by window, with a journal that a later run goes on from.

One file per answered window, whole or absent; what is missing is what is left to do. A window whose
model call fails is written down with its reason and never passes for an empty one.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from geomag.ask.scene import Scene
from geomag.errors import ResumeError
from geomag.geometry import PixelBox
from geomag.inference.output import PipelineOutput
from geomag.io import read_json, write_json
from geomag.magcrop.compose import RgbImage
from geomag.progress import track

Answerer = Callable[[RgbImage], PipelineOutput]
FOLDER = "windows"
_IDENTITY = "job.json"
_VERSION = 2
"""Version of a window's file; a journal of another one is not gone on with."""
_OURS = re.compile(r"\.?(job|\d{6,})\.json(\.|$)")
"""What the journal writes, and what a killed run may leave of it."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One window of a scene and what became of it."""

    number: int
    box: PixelBox
    output: PipelineOutput | None = None
    """What the model said and drew; None where nothing was asked or the call failed."""
    failure: str = ""
    """Why the call failed."""

    @property
    def state(self) -> str:
        """Outcome of a window: answered, failed, or without data."""
        if self.failure:
            return "failed"
        return "no data" if self.output is None else "answered"


class TileJournal:
    """The answered windows of one job, in a folder of their own."""

    def __init__(self, private: Path, identity: Mapping[str, Any], *, resume: bool) -> None:
        """Begin a job, or go on with the one that the private folder of an answer holds.

        Raises:
            ResumeError: If that one asked something else, or another model.
        """
        self.folder = private / FOLDER
        identity = json.loads(json.dumps({"journal": _VERSION, **identity}))
        stored = self.folder / _IDENTITY
        if not resume:
            self.remove()
        elif stored.is_file() and (known := read_json(stored)) != identity:
            differ = sorted(k for k in {*known, *identity} if known.get(k) != identity.get(k))
            raise ResumeError(
                str(self.folder),
                f"begun with another {', '.join(differ)}",
                remedy="ask without --resume, or into another --out",
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(stored, identity)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"

    def has(self, number: int) -> bool:
        """Whether a window needs no asking."""
        path = self._path(number)
        return path.is_file() and not read_json(path)["failure"]

    def write(self, tile: Tile) -> None:
        """Keep what became of a window."""
        row = {"failure": tile.failure, "output": tile.output and tile.output.to_row()}
        write_json(self._path(tile.number), row)

    def read(self, number: int, box: PixelBox) -> Tile:
        """One window as it was written."""
        row = read_json(self._path(number))
        output = None if row["output"] is None else PipelineOutput.from_row(row["output"])
        return Tile(number, box, output, row["failure"])

    def remove(self) -> None:
        """Drop the journal: the files that are named as its own, and the folder if that was all."""
        if not self.folder.is_dir() or self.folder.is_symlink():
            return
        for path in self.folder.iterdir():
            if _OURS.match(path.name):
                path.unlink()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


class TileMemory:
    """The answered windows of one job that nobody goes on with, in memory."""

    def __init__(self) -> None:
        self._known: dict[int, Tile] = {}

    def has(self, number: int) -> bool:
        """Whether a window needs no asking."""
        return number in self._known

    def write(self, tile: Tile) -> None:
        """Keep what became of a window."""
        self._known[tile.number] = tile

    def read(self, number: int, box: PixelBox) -> Tile:
        """One window as it was kept."""
        return self._known[number]


@dataclass(frozen=True, slots=True)
class TiledAnswers:
    """All windows of a job, read back one at a time."""

    journal: TileJournal | TileMemory
    boxes: Sequence[PixelBox]

    def __iter__(self) -> Iterator[Tile]:
        for number, box in enumerate(self.boxes):
            yield self.journal.read(number, box)


def ask_tiles(
    scene: Scene,
    boxes: Sequence[PixelBox],
    answer: Answerer,
    journal: TileJournal | TileMemory,
    *,
    log: Callable[[str], None],
) -> TiledAnswers:
    """Ask every window that the journal lacks; memory is that of one window.

    Args:
        scene: Read window by window.
        boxes: Of `scene_windows`.
        answer: The model, given one window's pixels.
        journal: Where answers go, and come from.
        log: Told of failures.

    Raises:
        ImageError: If the file's data is broken; another call would not mend that.
    """
    left = [(number, box) for number, box in enumerate(boxes) if not journal.has(number)]
    with track("windows", len(boxes), done=len(boxes) - len(left)) as progress:
        for number, box in left:
            tile = _ask_one(scene, number, box, answer)
            journal.write(tile)
            if tile.failure:
                log(f"window {number + 1} of {len(boxes)} failed: {tile.failure}")
            progress.advance()
    return TiledAnswers(journal, boxes)


def _ask_one(scene: Scene, number: int, box: PixelBox, answer: Answerer) -> Tile:
    begun = time.perf_counter()
    try:
        image, valid = scene.read(box)
        if not valid.any():
            return Tile(number, box)
        read = time.perf_counter() - begun
        output = answer(image)
    # torch says out of memory and every kernel's refusal by RuntimeError; the rest is ours to mend
    except (RuntimeError, MemoryError) as failed:
        return Tile(number, box, failure=" ".join(str(failed).split()) or type(failed).__name__)
    seconds = {"read": read, **(output.seconds or {})}
    boxes = tuple(b.shifted(box.x0, box.y0) for b in output.crop_boxes)
    return Tile(number, box, replace(output, crop_boxes=boxes, seconds=seconds))
