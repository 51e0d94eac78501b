"""Outputs that a user names: what is there is replaced only on request, and an input never.

A path is compared with the inputs by the file behind it, so a link to an input is that input.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from geomag.errors import OutputError

REMEDY = "name a new one, or pass --overwrite"


def check_file(
    path: Path,
    option: str,
    *,
    inputs: Iterable[str | Path] = (),
    overwrite: bool = False,
    can_overwrite: bool = True,
) -> None:
    """Refuse a file to write that is an input, or that exists and is not to be replaced.

    Args:
        path: The file that will be written.
        option: What named it, for the message.
        inputs: Files and folders that the command reads.
        overwrite: Whether an existing file may be replaced.
        can_overwrite: Whether the command has a way to say so.

    Raises:
        OutputError: Before anything was created or removed.
    """
    refuse_input(path, option, inputs)
    if path.is_dir():
        raise OutputError(option, f"{str(path)!r} is a folder", "the name of a file")
    is_of_the_line = bool(os.environ.get("DVC_STAGE"))  # DVC has put aside what it made before
    if os.path.lexists(path) and not (overwrite or is_of_the_line):
        raise OutputError(option, f"{str(path)!r} exists", remedy=_remedy(can_overwrite))


def check_files(
    folder: Path,
    names: Iterable[str],
    option: str,
    *,
    inputs: Iterable[str | Path] = (),
    overwrite: bool = False,
) -> None:
    """Refuse files to write into a folder as `check_file` does; other files there stay."""
    for name in names:
        check_file(folder / name, option, inputs=inputs, overwrite=overwrite)


def check_folder(
    path: Path,
    option: str,
    *,
    inputs: Iterable[str | Path] = (),
    overwrite: bool = False,
    can_overwrite: bool = True,
) -> None:
    """Refuse a folder to fill that holds something, or that is or holds an input.

    Raises:
        OutputError: Before anything was created or removed.
    """
    inputs = tuple(inputs)
    refuse_input(path, option, inputs)
    if os.path.lexists(path) and not path.is_dir():
        raise OutputError(option, f"{str(path)!r} is not a folder", "a new folder")
    if overwrite:
        return
    remedy = _remedy(can_overwrite)
    if held := next((one for one in inputs if holds(path, one)), None):
        raise OutputError(option, f"{str(path)!r} holds the input {str(held)!r}", remedy=remedy)
    if path.is_dir() and any(path.iterdir()):
        raise OutputError(option, f"{str(path)!r} is not empty", "a new folder", remedy)


def _remedy(can_overwrite: bool) -> str:
    return REMEDY if can_overwrite else "name a new one, or move it away"


def refuse_input(path: Path, option: str, inputs: Iterable[str | Path]) -> None:
    """Refuse an output that is one of the inputs or of their files, also through links.

    Raises:
        OutputError: Whatever else was asked for.
    """
    for one in map(Path, inputs):
        if not (path.exists() and one.exists()):
            continue
        if path.samefile(one):
            found = f"{str(path)!r} is the input {str(one)!r}"
        elif path.is_file() and one.is_dir() and holds(one, path):
            found = f"{str(path)!r} is a file of the input {str(one)!r}"
        else:
            continue
        raise OutputError(option, found, remedy="name another")


def holds(folder: Path, path: str | Path) -> bool:
    """Whether a path lies in a folder, links followed."""
    return Path(path).resolve().is_relative_to(folder.resolve())
