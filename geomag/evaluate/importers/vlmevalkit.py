"""VLMEvalKit's predictions: a table of ``index``, ``question``, ``answer`` and ``prediction``.

It writes xlsx by default, and tsv or json with ``PRED_FORMAT``. ``index`` numbers the rows of its
own data set, so it is no id of ours: ``question_id`` is, where a task kept that column; else
``question`` and ``answer`` tell the record.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geomag.errors import PredictionError
from geomag.io import read_json
from geomag.parse import mapping, read_text

_COLUMNS = ("question", "answer", "prediction")


def read(source: Path) -> Iterator[dict[str, Any]]:
    """Yield rows of ours with an id, or with ``question`` and ``truth`` in place of one.

    Raises:
        PredictionError: On a kind of file that is not read, or a row that lacks a column.
    """
    for number, row in enumerate(_rows(source), start=1):
        has_id = bool(row.get("question_id"))
        wanted = ("prediction",) if has_id else _COLUMNS
        if any(row.get(name) is None for name in wanted):
            raise PredictionError(
                f"{source}, row {number}",
                f"columns {sorted(row)}"[:200],
                f"{', '.join(_COLUMNS)}, or question_id and prediction",
            )
        if has_id:
            yield {"id": str(row["question_id"]), "text": str(row["prediction"])}
        else:
            asked, truth, said = (str(row[name]) for name in _COLUMNS)
            yield {"question": asked, "truth": truth, "text": said}


def _rows(source: Path) -> Iterator[dict[str, Any]]:
    if source.suffix == ".json":
        tree = read_json(source)
        if not isinstance(tree, list):
            raise PredictionError(str(source), f"a {type(tree).__name__}", "an array of rows")
        for number, row in enumerate(tree, start=1):
            yield mapping(row, f"{source}, row {number}", PredictionError)
    elif source.suffix == ".tsv":
        try:
            yield from csv.DictReader(io.StringIO(read_text(source), newline=""), delimiter="\t")
        except csv.Error as broken:
            raise PredictionError(str(source), f"no tsv ({broken})", "tab-separated rows") from None
    else:
        raise PredictionError(
            str(source),
            f"a file {source.suffix or 'without a suffix'}",
            ".tsv or .json",
            "set PRED_FORMAT=tsv in VLMEvalKit, or save the sheet as tab-separated text",
        )
