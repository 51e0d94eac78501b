"""A CSV with a head line: ``id`` and ``text``; other columns are kept. No masks."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geomag.errors import PredictionError


def read(source: Path) -> Iterator[dict[str, Any]]:
    """Yield prediction rows of ours.

    Raises:
        PredictionError: On a missing column, or a line with more or fewer cells than the head.
    """
    try:
        with source.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, restkey="", restval=None)
            if not {"id", "text"} <= set(reader.fieldnames or ()):
                raise PredictionError(str(source), f"columns {reader.fieldnames}", "id and text")
            for row in reader:
                if "" in row or None in row.values():
                    raise PredictionError(
                        f"{source}, line {reader.line_num}", "another number of cells than the head"
                    )
                yield dict(row)
    except (OSError, UnicodeDecodeError) as broken:
        raise PredictionError(str(source), f"cannot be read ({broken})") from broken
