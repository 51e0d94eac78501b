"""JSON Lines of ours but for how masks are spelled, or what the fields are called.

``id`` may be ``ref_id`` or ``image_id``; the words ``text``, ``answer``, ``caption`` or
``prediction``; the masks ``masks``, ``mask``, ``segmentation``, ``rle`` or ``pred_masks``, in any
of COCO's spellings. Polygons need ``height`` and ``width`` beside them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geomag.errors import PredictionError
from geomag.evaluate.importers.spelled import spelled_masks
from geomag.io import numbered_rows
from geomag.parse import mapping

_IDS = ("id", "ref_id", "image_id")
_TEXTS = ("text", "answer", "caption", "prediction")
_MASKS = ("masks", "mask", "segmentation", "rle", "pred_masks")
_SIZE = ("height", "width")


def read(source: Path) -> Iterator[dict[str, Any]]:
    """Yield prediction rows of ours.

    Raises:
        PredictionError: On a line without an id, or with neither words nor masks.
    """
    for line, value in numbered_rows(source):
        place = f"{source}, line {line}"
        row = mapping(value, place)
        id_, text, masks = (_first(row, names) for names in (_IDS, _TEXTS, _MASKS))
        if id_ is None or (text is None and masks is None):
            wanted = f"one of {', '.join(_IDS)}, and one of {', '.join((*_TEXTS, *_MASKS))}"
            raise PredictionError(place, f"keys {sorted(row)}"[:200], wanted)
        size = [row[side] for side in _SIZE] if set(_SIZE) <= row.keys() else row.get("size")
        kept = {k: v for k, v in row.items() if k not in {id_, text, masks, *_SIZE, "size"}}
        yield {
            **kept,
            "id": str(row[id_]),
            "text": "" if text is None else row[text],
            "masks": [] if masks is None else spelled_masks(row[masks], size, place),
        }


def _first(row: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in row), None)
