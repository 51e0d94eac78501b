"""GeoChat-Bench answers: JSON Lines with ``question_id`` and ``answer``.

``question_id`` is the RSVQA question, or ``<class>/<file>`` for scenes
(protocols/rsvqa#geochat-bench). Its ``ground_truth`` and image suffix are defective and not looked
at.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geomag.errors import PredictionError
from geomag.io import read_jsonl

_ANSWERS = ("answer", "text", "outputs")


def read(source: Path) -> Iterator[dict[str, Any]]:
    """Yield prediction rows of ours.

    Raises:
        PredictionError: On a line without ``question_id`` or answer.
    """
    for number, row in enumerate(read_jsonl(source), start=1):
        key = next((name for name in _ANSWERS if name in row), None)
        if "question_id" not in row or key is None:
            raise PredictionError(
                f"{source}, line {number}",
                f"keys {sorted(row)}",
                f"question_id and one of {', '.join(_ANSWERS)}",
            )
        kept = {k: v for k, v in row.items() if k in ("category", "type", "image_id", "image")}
        yield {**kept, "id": str(row["question_id"]), "text": str(row[key])}
