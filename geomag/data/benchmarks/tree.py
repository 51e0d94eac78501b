"""Finding a download's tree under the folder the user names, and its images by stem.

Mirrors wrap archives in one more folder, rename ``imgs`` to ``images`` and convert tif to jpg; the
readers accept that (protocols/captions#files, protocols/rsvqa#files) and nothing that leaves the
root.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path, PurePath

from geomag.data.images import ImageInfo, image_info
from geomag.errors import AnnotationError
from geomag.io import inside

MAX_DEPTH = 3
"""Folders below the root that are searched."""

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
"""Accepted image kinds; the case of the suffix plays no part."""

LITTER = ("._*", ".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir", "__MACOSX", "#recycle")
"""What file managers and network drives leave in every folder: files, or folders of them."""

_SHOWN = 20


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is no part of a download, or hidden.

    >>> is_litter("@eaDir"), is_litter(".git"), is_litter("Airport")
    (True, True, False)
    """
    return name.startswith(".") or any(PurePath(name).match(pattern) for pattern in LITTER)


def locate(
    root: Path,
    holds: Callable[[set[str]], bool],
    *,
    wanted: str,
    parts: Collection[str] = (),
) -> Path:
    """The shallowest folder at or under ``root`` whose entries satisfy ``holds``.

    Links to folders are not followed.

    Args:
        root: The folder the user named.
        holds: Tells from the names in a folder whether it is the one.
        wanted: The expected tree, in words, for the message.
        parts: Names that the folder should hold: where some are there, the others are named.

    Raises:
        AnnotationError: If there is none, or two at the same depth.
    """
    if not root.is_dir():
        raise AnnotationError(str(root), "no such folder", wanted, "download or draw the benchmark")
    level, partly = [root], dict[Path, set[str]]()
    for _ in range(MAX_DEPTH + 1):
        entries = {folder: list(os.scandir(folder)) for folder in level}
        found = [folder for folder in level if holds({entry.name for entry in entries[folder]})]
        if len(found) > 1:
            raise AnnotationError(
                str(root),
                f"two trees, {found[0].relative_to(root)} and {found[1].relative_to(root)}",
                wanted,
                "name the inner folder, or move one away",
            )
        if found:
            return found[0]
        for folder, listed in entries.items():
            if there := {entry.name for entry in listed} & set(parts):
                partly[folder] = there
        level = sorted(
            Path(entry.path)
            for listed in entries.values()
            for entry in listed
            if entry.is_dir(follow_symlinks=False) and not is_litter(entry.name)
        )
    raise _absent(root, partly, parts, wanted)


def _absent(
    root: Path, partly: Mapping[Path, set[str]], parts: Collection[str], wanted: str
) -> AnnotationError:
    """The error for a tree that is not there, or of which ``partly`` holds a part by folder."""
    if not partly:
        names = sorted(path.name for path in root.iterdir())[:_SHOWN]
        return AnnotationError(str(root), f"no such tree, only {names}", wanted, "fetch it again")
    folder = max(partly, key=lambda one: len(partly[one]))
    absent = [name for name in parts if name not in partly[folder]]
    return AnnotationError(
        str(folder),
        f"no {', '.join(absent[:_SHOWN])}, only {', '.join(sorted(partly[folder])[:_SHOWN])}",
        wanted,
        "fetch what is missing",
    )


def locate_with(root: Path, *names: str, wanted: str) -> Path:
    """The shallowest folder at or under ``root`` that directly holds all ``names``."""
    return locate(root, lambda entries: entries.issuperset(names), wanted=wanted, parts=names)


def locate_near(root: Path, start: Path, name: str, *, wanted: str) -> Path:
    """The folder or file ``name`` that is closest to ``start``, a folder at or under ``root``.

    Where somebody keeps several benchmarks side by side, each of them finds its own.

    Raises:
        AnnotationError: As `locate`.
    """
    for folder in (start, *start.parents):
        if folder == root or not folder.is_relative_to(root):
            break
        try:
            return locate_with(folder, name, wanted=wanted) / name
        except AnnotationError:
            continue
    return locate_with(root, name, wanted=wanted) / name


def first_folder(parent: Path, *names: str) -> Path:
    """The first of ``names`` that is a folder of ``parent``.

    Raises:
        AnnotationError: Naming what was looked for.
    """
    for name in names:
        if (parent / name).is_dir():
            return parent / name
    raise AnnotationError(str(parent), "no image folder", f"one of {list(names)}")


class ImageFolder:
    """The images of one folder, found by stem whatever their kind, each header read once."""

    def __init__(self, root: Path, folder: Path, kinds: Collection[str] = SUFFIXES) -> None:
        """Index ``folder``.

        Args:
            root: The benchmark's root, which paths are relative to and may not leave.
            folder: The folder that holds the images.
            kinds: Accepted suffixes in order of preference.
        """
        self.root = root
        self.folder = folder
        self._rank = {suffix: rank for rank, suffix in enumerate(kinds)}
        self._names: dict[str, str] = {}
        self._infos: dict[str, ImageInfo] = {}
        for name in sorted(entry.name for entry in folder.iterdir()):
            stem = PurePath(name).stem
            rank = self._rank.get(PurePath(name).suffix.lower())
            if rank is None or stem.startswith("."):
                continue
            other = self._names.get(stem)
            if other is None or rank < self._rank_of(other):
                self._names[stem] = name
            elif rank == self._rank_of(other):
                raise AnnotationError(
                    str(folder), f"{other} and {name} differ only in case", "one file per image"
                )

    def _rank_of(self, name: str) -> int:
        return self._rank[PurePath(name).suffix.lower()]

    def __len__(self) -> int:
        return len(self._names)

    def require(self, stems: Iterable[str]) -> None:
        """Refuse if an image is missing: the first twenty are named, with the total.

        Raises:
            AnnotationError: As said.
        """
        missing = [stem for stem in dict.fromkeys(stems) if stem not in self._names]
        if missing:
            shown = ", ".join(missing[:_SHOWN]) + (" ..." if len(missing) > _SHOWN else "")
            raise AnnotationError(
                str(self.folder),
                f"{len(missing)} images are missing: {shown}",
                f"one of {list(self._rank)} for each",
                "fetch the image archive again and compare its digest",
            )

    def path(self, stem: str, *, place: str) -> str:
        """Path of an image relative to the root, with forward slashes.

        Raises:
            AnnotationError: If there is no such image.
            UnsafePathError: If it is a link that leaves the root.
        """
        if stem not in self._names:
            self.require([stem])
        relative = (self.folder / self._names[stem]).relative_to(self.root).as_posix()
        if relative not in self._infos:
            self._infos[relative] = image_info(inside(self.root, relative, place=place))
        return relative

    def info(self, relative: str) -> ImageInfo:
        """Header of an image whose path `path` has given."""
        return self._infos[relative]
