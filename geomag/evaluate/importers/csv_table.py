"""A CSV with a head line: ``id`` and ``text``; other columns are kept. No masks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geomag.parse import read_csv


def read(source: Path) -> Iterator[dict[str, Any]]:
    """Yield prediction rows of ours.

    Raises:
        AnnotationError: On a missing column, or a line with more or fewer cells than the head.
    """
    for _, row in read_csv(source, {"id", "text"}):
        yield dict(row)
