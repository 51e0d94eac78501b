"""The folder of an answer: marked as ours, and nothing else in it is ever touched.

``.geomag/owner.json`` inside it names the program, the command, the image and the prompt, and lists
the files that were written with their digests. Only a listed file that still has its digest is
replaced or removed without ``--overwrite``; new files are made in ``.geomag`` and moved out when
all of them are whole, so a run that fails leaves the earlier answer as it was.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geomag import __version__
from geomag.errors import GeoMagError, OutputError, ResumeError
from geomag.io import file_digest, read_json, value_digest, write_json
from geomag.outputs import REMEDY, holds, refuse_input

PRIVATE, OWNER = ".geomag", "owner.json"
OPTION = "--out"
_LONGEST_NAME = 200
"""Bytes of an image's name that a folder's name keeps; file systems end at 255."""


def default_folder(image: Path, prompt: str) -> Path:
    """The folder beside an image that a prompt's answer goes to; no two prompts share one.

    >>> default_folder(Path("a/pic.tif"), "How many?").name
    'pic.tif.e40530a3.geomag'
    """
    kept = os.fsdecode(os.fsencode(image.name)[:_LONGEST_NAME])
    digest = value_digest([image.name, prompt])[:8]
    return image.with_name(f"{kept}.{digest}.geomag")


@dataclass(slots=True)
class AnswerFolder:
    """A folder that one command may fill with the answer to one prompt about one image."""

    path: Path
    command: str
    image: Path
    prompt: str
    names: Sequence[str]
    """Names of all files that the command may write; the last, moved in last, says it is whole."""
    _created: list[Path] = field(default_factory=list)
    _earlier: dict[str, Any] = field(default_factory=dict)
    _digest: str = ""

    @property
    def image_digest(self) -> str:
        """sha256 of the image's file, read once."""
        self._digest = self._digest or file_digest(self.image)
        return self._digest

    @property
    def private(self) -> Path:
        """The folder in it that nobody else writes to."""
        return self.path / PRIVATE

    def check(self, *, overwrite: bool, resume: bool = False) -> None:
        """Refuse the folder if writing to it could touch what is not this command's own.

        Raises:
            OutputError: If it is or holds the image, is not ours, or holds another answer or a
                file that was changed since; nothing has been created or removed.
            ResumeError: With ``resume``, if it holds another answer.
        """
        path = str(self.path)
        for place in (self.path, *(self.path / name for name in self.names)):
            refuse_input(place, OPTION, [self.image])
        if os.path.lexists(self.path) and not self.path.is_dir():
            raise OutputError(OPTION, f"{path!r} is not a folder", "a new folder")
        if os.path.lexists(self.private) and (
            self.private.is_symlink() or not self.private.is_dir()
        ):
            raise OutputError(OPTION, f"{str(self.private)!r} is not ours", "another folder")
        if overwrite:
            return
        if holds(self.path, self.image):
            raise OutputError(OPTION, f"{path!r} holds the image", "another folder", REMEDY)
        if not self.path.is_dir() or not any(self.path.iterdir()):
            return
        owner = self._owner()
        if not owner:
            raise OutputError(OPTION, f"{path!r} holds files of yours", "a new folder", REMEDY)
        self._refuse_another(owner, resume=resume)
        mine = self._listed(owner)
        for name in self.names:
            if os.path.lexists(self.path / name) and name not in mine:
                found = f"{str(self.path / name)!r} is not as geomag wrote it"
                raise OutputError(OPTION, found, remedy=REMEDY)

    @contextmanager
    def filling(self) -> Iterator[Path]:
        """Give a place for new files; they are moved into the folder when all of them are made.

        On a refusal what was created is removed, and the folder is as it was.

        Raises:
            OutputError: If the folder cannot be written to.
        """
        fresh = self._begin()
        try:
            yield fresh
        except GeoMagError:
            self._abandon()
            raise
        self._publish(fresh)

    def _begin(self) -> Path:
        fresh = self.private / "new"
        wanted = [fresh, *fresh.parents]
        self._earlier = self._owner()
        try:
            for folder in reversed([one for one in wanted if not one.exists()]):
                folder.mkdir()
                self._created.append(folder)
            for left in fresh.iterdir():  # of a run that was killed
                left.unlink()
            self._mark(self._listed(self._earlier))
        except OSError as closed:
            self._remove_created()
            found = f"cannot be written ({closed.strerror})"
            raise OutputError(str(self.path), found, remedy="name a folder with --out") from closed
        return fresh

    def _publish(self, fresh: Path) -> None:
        """Move the new files in, the last name last, and remove what the earlier answer left."""
        new = {path.name: [file_digest(path)] for path in sorted(fresh.iterdir())}
        before = self._listed(self._owner())
        both = {n: [*before.get(n, []), *new.get(n, [])] for n in {*before, *new}}
        self._mark(both)  # killed from here on, old and new files are known as ours
        last = self.names[-1]
        for name in before:
            if name == last or name not in new:
                (self.path / name).unlink(missing_ok=True)
        for name in sorted(new, key=lambda one: one == last):
            if name == last:
                self._mark(new)
            (fresh / name).replace(self.path / name)
        fresh.rmdir()

    def _abandon(self) -> None:
        """Remove what this run made; an earlier answer keeps its marker."""
        fresh = self.private / "new"
        for left in fresh.iterdir() if fresh.is_dir() else ():
            left.unlink()
        if self._earlier:
            write_json(self.private / OWNER, self._earlier)
        self._remove_created()

    def _remove_created(self) -> None:
        if self.private in self._created:
            (self.private / OWNER).unlink(missing_ok=True)
        while self._created:
            folder = self._created.pop()
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def _mark(self, files: dict[str, list[str]]) -> None:
        facts = {"image": self.image_digest, "prompt": self.prompt, "command": self.command}
        marker = {
            "program": "geomag",
            "version": __version__,
            **facts,
            "digest": value_digest(facts),
            "files": files,
        }
        write_json(self.private / OWNER, marker)

    def _owner(self) -> dict[str, Any]:
        """The marker's content; empty where there is none of ours."""
        marker = self.private / OWNER
        found = read_json(marker) if marker.is_file() else {}
        return found if isinstance(found, dict) and found.get("program") == "geomag" else {}

    def _listed(self, owner: dict[str, Any]) -> dict[str, list[str]]:
        """The files in the folder that are listed in the marker and still as they were."""
        return {
            name: digests
            for name, digests in owner.get("files", {}).items()
            if name in self.names
            and not (self.path / name).is_symlink()
            and (self.path / name).is_file()
            and file_digest(self.path / name) in digests
        }

    def _refuse_another(self, owner: dict[str, Any], *, resume: bool) -> None:
        asked = {"command": self.command, "prompt": self.prompt}
        differ = [key for key, value in asked.items() if owner.get(key) != value]
        if owner.get("image") != self.image_digest:
            differ.append("image")
        if not differ:
            return
        found = f"begun with another {', '.join(sorted(differ))}"
        raise (ResumeError if resume else OutputError)(str(self.path), found, remedy=REMEDY)
