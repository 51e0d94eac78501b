"""GLaMM's grounded conversations: a folder with one JSON file per image.

Each holds ``image_id``, ``caption``, ``phrases`` and ``pred_masks``, compressed RLE with counts
as text (protocols/gcg#answers).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geomag.errors import PredictionError
from geomag.io import read_json, visible

_KEYS = ("image_id", "caption", "phrases", "pred_masks")


def read(source: Path) -> Iterator[dict[str, Any]]:
    """Yield prediction rows of ours, in the order of the file names.

    Raises:
        PredictionError: On a folder without JSON files, or a file with other keys.
    """
    files = visible(source, "*.json") if source.is_dir() else []
    if not files:
        raise PredictionError(str(source), "no .json file in it", "a folder, one file per image")
    for path in files:
        row = read_json(path)
        if not isinstance(row, dict) or not set(_KEYS) <= set(row):
            raise PredictionError(str(path), "other keys", ", ".join(_KEYS))
        yield {
            "id": Path(str(row["image_id"])).stem,
            "text": row["caption"],
            "phrases": row["phrases"],
            "masks": row["pred_masks"],
        }
