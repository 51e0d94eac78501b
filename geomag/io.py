"""Files that are whole or absent (temporary name, fsync, rename); paths that stay inside."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from geomag.dvc_cache import is_cached
from geomag.errors import AnnotationError, UnsafePathError, of_system
from geomag.parse import decode, mapping, parse_json, read_text
from geomag.partial import partial_file


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary sibling to write to; on success it becomes ``path`` in one rename.

    On an exception the temporary file is removed and ``path`` is left as it was. What a killed
    process left is overwritten by the next one that writes ``path`` (`geomag.partial`). The
    temporary name has another suffix, so a format that goes by it must be named.
    """
    with partial_file(path) as temporary:
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
        except OSError as failed:
            if failed.filename is None or str(failed.filename) == str(temporary):
                raise of_system(failed, str(path)) from failed
            raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, UTF-8, line ends as given."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` atomically as JSON with sorted keys, so equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read one JSON file; a broken one is named with its line or byte."""
    return parse_json(read_text(path), str(path))


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write one JSON object a line, atomically; returns the number of lines."""
    count = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n")
            count += 1
    return count


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON Lines file; blank lines are skipped, a broken one is named."""
    for number, row in numbered_rows(path):
        yield mapping(row, f"{path}, line {number}")


def numbered_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield ``(line number, value)`` of a JSON Lines file; blank lines are skipped."""
    try:
        handle = path.open("rb")
    except FileNotFoundError as missing:
        raise AnnotationError(str(path), "no such file") from missing
    with handle:
        start = 0
        for number, raw in enumerate(handle, start=1):
            place = f"{path}, line {number}"
            line = decode(raw, place, start=start)
            start += len(raw)
            if line and not line.isspace():
                yield number, parse_json(line, place)


def visible(folder: Path, pattern: str = "*") -> list[Path]:
    """Entries of a folder that match ``pattern``, sorted by name, hidden ones left out.

    Hidden are half-written files and what file managers keep; `Path.glob` matches them.
    """
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, algorithm).hexdigest()


def value_digest(value: Any) -> str:
    """First 16 hex digits of the sha256 of a JSON-able value, independent of key order.

    >>> value_digest({"a": 1, "b": 2}) == value_digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def inside(root: Path, relative: str, *, place: str) -> Path:
    """Join a path found in data to its root, and refuse it if it could leave the root.

    Raises:
        UnsafePathError: On an absolute path, a drive, a backslash, a ``..`` part, or a link
            whose target lies outside ``root`` and is no version in DVC's cache of its project.
    """
    pure = PurePosixPath(relative)
    if (
        not relative
        or pure.is_absolute()
        or ".." in pure.parts
        or "\\" in relative
        or ":" in relative
    ):
        raise UnsafePathError(
            place, f"path {relative!r} may leave the data root", "a relative path inside it"
        )
    joined = root / pure
    target = joined.resolve()
    if not target.is_relative_to(root.resolve()) and not is_cached(target, root):
        raise UnsafePathError(place, f"path {relative!r} follows a link out of the data root")
    return joined
