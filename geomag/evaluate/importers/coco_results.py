"""COCO's result files: one JSON array with an object a detection, as detectors write them.

The detections of one ``image_id`` (or ``ref_id``) become one row, the surest mask first. Masks are
``segmentation`` in any of COCO's spellings; polygons need ``height`` and ``width`` beside them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geomag.data.benchmarks.fields import number
from geomag.errors import PredictionError
from geomag.evaluate.importers.spelled import spelled_masks
from geomag.io import read_json
from geomag.parse import mapping

_IDS = ("ref_id", "image_id")
_TEXTS = ("text", "caption")


def read(source: Path) -> Iterator[dict[str, Any]]:
    """Yield prediction rows of ours, in the order in which their ids first stand there.

    Raises:
        PredictionError: If it is no array, or an object lacks its id or holds no mask and no text.
    """
    tree = read_json(source)
    if not isinstance(tree, list):
        raise PredictionError(str(source), f"a {type(tree).__name__}", "an array of detections")
    found: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    for position, value in enumerate(tree):
        place = f"{source}, object {position}"
        row = mapping(value, place)
        key = next((name for name in _IDS if name in row), None)
        text = next((row[name] for name in _TEXTS if name in row), None)
        if key is None or ("segmentation" not in row and text is None):
            raise PredictionError(
                place,
                f"keys {sorted(row)}"[:200],
                "image_id or ref_id, and segmentation or caption",
            )
        size = (row["height"], row["width"]) if {"height", "width"} <= row.keys() else None
        masks = spelled_masks(row.get("segmentation"), size, place)
        sure = number(row.get("score", 0), place=f"{place}, score")
        found.setdefault(str(row[key]), []).append((sure, {"text": text or "", "masks": masks}))
    for name, parts in found.items():
        ranked = [part for _, part in sorted(parts, key=lambda pair: -pair[0])]
        masks = [mask for part in ranked for mask in part["masks"]]
        yield {"id": name, "text": ranked[0]["text"], "masks": masks}
