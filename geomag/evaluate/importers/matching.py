"""Ids for answers that came without: found by question and truth among a benchmark's records.

Evaluation toolkits number their own copy of a data set. A question with its true answer tells the
record, or a few records that share both. Among such twins rows are dealt in the order of the file:
their verdicts are the same whichever gets which, and only the resampling by image can notice.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from geomag.data.records import Record
from geomag.errors import PredictionError

_BETWEEN = re.compile(r"[^0-9a-z]+")


@dataclass(slots=True)
class Matches:
    """How ids were found, counted while `match_rows` yields."""

    n_by_id: int = 0
    """Rows that brought an id of ours."""
    n_unique: int = 0
    """Rows whose question and truth tell one record."""
    n_ambiguous: int = 0
    """Rows whose question and truth several records share."""


def match_rows(
    rows: Iterable[dict[str, Any]], records: Iterable[Record], place: str, matches: Matches
) -> Iterator[dict[str, Any]]:
    """Give each row the id of a record with its ``question`` and ``truth``.

    Args:
        rows: Prediction rows; one with an ``id`` is passed on as it is.
        records: Records that may be meant.
        place: The file, for messages.
        matches: Gets the counts.

    Raises:
        PredictionError: On a row that no record fits, or whose records are all taken.
    """
    free: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in records:
        for answer in dict.fromkeys(record.answers):
            free[_key(record.text, answer)].append(record.id)
    sizes = {key: len(ids) for key, ids in free.items()}
    for number, row in enumerate(rows, start=1):
        if "id" in row:
            matches.n_by_id += 1
            yield row
            continue
        key = _key(row["question"], row["truth"])
        if not free.get(key):
            several = f"all {sizes[key]} records with it are taken" if key in sizes else "no record"
            raise PredictionError(
                f"{place}, row {number}",
                f"{row['question'][:100]!r} with the answer {row['truth'][:40]!r}: {several}",
                "the questions and answers of the benchmark's split",
                "name the split that was asked with --split",
            )
        matches.n_unique += sizes[key] == 1
        matches.n_ambiguous += sizes[key] > 1
        kept = {name: value for name, value in row.items() if name not in ("question", "truth")}
        yield {"id": free[key].pop(0), **kept}


def _key(question: str, truth: str) -> tuple[str, str]:
    """Question and truth by letters and digits alone: case and marks differ between copies."""
    asked, answer = (_BETWEEN.sub(" ", text.lower()).strip() for text in (question, truth))
    return asked, answer
