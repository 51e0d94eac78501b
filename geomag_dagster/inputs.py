"""What a stage reads, as it was before the command ran and as it is after.

DVC records its dependencies when the command ends, so an edit made meanwhile would be recorded as
what the result came from.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

Snapshot = dict[str, str]
"""Path of a dependency to a name of its state; equal names, equal state."""


def snapshot(root: Path, paths: Iterable[str]) -> Snapshot:
    """The state of some dependencies: contents of a file, names, sizes and times of a folder.

    A folder may hold hundreds of thousands of pictures, so its files are not read.
    """
    return {path: _state(root / path) for path in paths}


def differing(before: Snapshot, after: Snapshot) -> list[str]:
    """The paths whose state is not what it was."""
    return sorted(path for path in before if before[path] != after.get(path))


def _state(path: Path) -> str:
    digest = hashlib.sha256()
    if path.is_file():
        digest.update(path.read_bytes())
    else:
        for line in sorted(_listing(path)):
            digest.update(line.encode())
    return digest.hexdigest()


def _listing(folder: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in files:
            entry = os.stat(os.path.join(place, name))  # noqa: PTH116, PTH118 - this loop is hot
            yield f"{place}/{name} {entry.st_size} {entry.st_mtime_ns}\n"
