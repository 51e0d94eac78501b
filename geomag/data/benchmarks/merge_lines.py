"""Lines and files of a drop joined to those of a benchmark.

What is no annotation (pictures, masks) is copied by whoever calls.
"""

import shutil
from pathlib import Path

from geomag.data.layouts.encode import write_lines
from geomag.errors import AnnotationError
from geomag.io import file_digest
from geomag.parse import read_text


def read_lines(path: Path) -> list[str]:
    """Lines of a UTF-8 file without their ends; none of an empty file."""
    text = read_text(path)
    return text.removesuffix("\n").split("\n") if text else []


def conflict(place: str, what: str, where: str) -> AnnotationError:
    """The error that something of a drop stands elsewhere, or with another content."""
    return AnnotationError(
        place, f"{what} stands elsewhere or with another content, in {where}", "new names and ids"
    )


def same_file(one: Path, other: Path) -> bool:
    """Whether two files have the same bytes."""
    return file_digest(one) == file_digest(other)


def write_joined_lines(base: Path, out: Path, lines: list[str]) -> None:
    """Write lines; nothing new leaves the bytes of the download as they are."""
    if lines == read_lines(base):
        copy_file(base, out)
    else:
        write_lines(out, lines)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file and make the folders above it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
