"""Samples of lmms-eval (``--log_samples``): JSON Lines of ``doc_id``, ``target``, ``resps``.

``doc_id`` is a row number of its own data set, so it is no id of ours. ``doc`` is that row: its
``question_id`` is, where it has one; else its ``question`` and ``target`` tell the record.
``filtered_resps`` is the answer after the task's filter, ``resps`` before it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geomag.errors import PredictionError
from geomag.io import read_jsonl

_ANSWERS = ("filtered_resps", "resps")


def read(source: Path) -> Iterator[dict[str, Any]]:
    """Yield rows of ours with an id, or with ``question`` and ``truth`` in place of one.

    Raises:
        PredictionError: On a line without an answer, or with nothing to tell its record by.
    """
    for number, row in enumerate(read_jsonl(source), start=1):
        key = next((name for name in _ANSWERS if name in row), None)
        held = row.get("doc")
        doc: dict[str, Any] = held if isinstance(held, dict) else {}
        asked = doc.get("question", row.get("input"))
        has_id = "question_id" in doc
        if key is None or not (has_id or (isinstance(asked, str) and "target" in row)):
            raise PredictionError(
                f"{source}, line {number}",
                f"keys {sorted(row)}, doc {sorted(doc)}"[:200],
                "resps or filtered_resps, and doc.question_id, or doc.question with target",
            )
        text = _first_text(row[key])
        if has_id:
            yield {"id": str(doc["question_id"]), "text": text}
        else:
            yield {"question": asked, "truth": str(row["target"]), "text": text}


def _first_text(value: Any) -> str:
    """The answer itself: older versions nest it in a list of lists, one a request and a repeat."""
    while isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, str) else ""
