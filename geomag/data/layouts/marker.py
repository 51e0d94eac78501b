"""The marker of a drawn benchmark, and the digest that it holds."""

import hashlib
from pathlib import Path

from geomag.io import file_digest

SAMPLE_MARKER = "SAMPLE.json"
"""File in the root of a drawn benchmark: its counts, seed and digest."""


def tree_digest(root: Path) -> str:
    """sha256 over the sorted relative paths of a folder and their contents, without the marker."""
    total = hashlib.sha256()
    paths = {p.relative_to(root).as_posix(): p for p in root.rglob("*") if p.is_file()}
    for name in sorted(paths.keys() - {SAMPLE_MARKER}):
        total.update(f"{name}\0{file_digest(paths[name])}\n".encode())
    return total.hexdigest()
