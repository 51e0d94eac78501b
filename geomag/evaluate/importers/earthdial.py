r"""EarthDial's answers: JSON Lines of ``question``, ``answer`` (the model's) and ``annotation``.

A line has no id. ``question`` begins with a marker of the imagery and an image token and ends with
the wording that asks for one word: ``[hr_rgb_0.5] <image>\n Is there a road? Answer the question
using a single word.``
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geomag.errors import PredictionError
from geomag.io import read_jsonl

_FRAME = re.compile(r"^(?:\s*\[[^\]]*\])?\s*<image>(?:\\n|\s)*|\s*Answer the question using .*$")
_KEYS = ("question", "answer", "annotation")


def read(source: Path) -> Iterator[dict[str, Any]]:
    """Yield rows of ours with ``question`` and ``truth`` in place of an id.

    Raises:
        PredictionError: On a line that lacks one of the three keys.
    """
    for number, row in enumerate(read_jsonl(source), start=1):
        if not all(isinstance(row.get(key), str) for key in _KEYS):
            raise PredictionError(
                f"{source}, line {number}",
                f"keys {sorted(row)}"[:200],
                f"the texts {', '.join(_KEYS)}",
            )
        asked = _FRAME.sub("", row["question"])
        yield {"question": asked, "truth": row["annotation"], "text": row["answer"]}
