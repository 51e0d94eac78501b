"""Sections of a measurement: each has its own time limit, and writes its line as soon as it ends.

A section that fails or runs out of time keeps the figures that it had, and the next one goes on.
"""

import gc
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

Figures = dict[str, Any]
"""JSON-able figures of a section by name; units stand at the end of each name."""


class OutOfTime(BaseException):
    """A section's time limit; no `except Exception` of the code that is measured catches it."""


@dataclass(frozen=True, slots=True)
class Section:
    """One group of measurements."""

    name: str
    seconds: float
    """Time limit."""
    measure: Callable[[Figures], None]
    """Puts every figure into its argument as soon as it is known."""


def run_sections(sections: Sequence[Section], out: Path, *, seconds: float) -> int:
    """Run sections in order and append a JSON line for each to ``out``.

    Args:
        sections: What to measure.
        out: JSON Lines file, appended to; every line is on the disk before the next section.
        seconds: Time limit of all of them; what is left of it also limits each section.

    Returns:
        Number of sections that failed or were cut short.
    """
    ends = time.monotonic() + seconds
    n_failed = 0
    for section in sections:
        left = ends - time.monotonic()
        figures: Figures = {}
        begun = time.monotonic()
        error = None if left > 1 else "no time was left"
        if error is None:
            error = _attempt(section, figures, min(section.seconds, left))
        row = {"section": section.name, "took_s": round(time.monotonic() - begun, 3), **figures}
        if error is not None:
            n_failed += 1
            row["error"] = error
        _append(out, row)
        _release()
    return n_failed


def _attempt(section: Section, figures: Figures, seconds: float) -> str | None:
    """The section's error in one line, its traceback printed; None when it ended well."""
    try:
        with _time_limit(seconds):
            section.measure(figures)
    except OutOfTime:
        return f"stopped after {seconds:.0f} s"
    except Exception as wrong:  # whatever it was: the other sections are independent of it
        traceback.print_exc()
        return f"{type(wrong).__name__}: {wrong}"[:500]
    return None


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` in this thread; a kernel that runs is waited for."""

    def stop(_signum: int, _frame: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _append(out: Path, row: dict[str, Any]) -> None:
    line = json.dumps(row)
    with out.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _release() -> None:
    """Give back what a section, or the traceback of its failure, still held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
