"""Progress of whatever takes longer than two seconds: a bar on a terminal, plain lines elsewhere.

Who works says how far it is (`track`); who started the program says where that is shown (`shown`).
A plain line reads ``train: 620 of 1,600, 39 %, 2 min 10 s left; loss 1.23``, for people and for
`Progress.parse`, by which the view of the whole line follows the logs of its stages.
"""

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeVar

T = TypeVar("T")
SILENT_S = 2.0
"""Seconds of a piece of work before its progress is shown at all."""
DRAWN_EVERY_S = 0.1
"""Seconds between two updates of a display."""
PACE_S, PACE_PARTS = 10.0, 50
"""Seconds, or parts of the work of which one is done, from which its pace tells the time left."""
LINE_EVERY_S = 2.0
"""Seconds between two plain lines of one piece of work."""
_TAIL_BYTES = 4096
_LINE = re.compile(
    r"(?P<what>[^:]+): (?P<done>[\d,]+) of (?P<total>[\d,]+), \d+ %"
    r"(?:, (?P<left>[^;]+) left)?(?:; (?P<facts>.*))?"
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a piece of work is.

    >>> line = Progress("train", 620, 1600, "2 min 10 s", "loss 1.23").line
    >>> line
    'train: 620 of 1,600, 38 %, 2 min 10 s left; loss 1.23'
    >>> Progress.parse(line) == Progress("train", 620, 1600, "2 min 10 s", "loss 1.23")
    True
    """

    what: str
    """Words for the work, without a colon."""
    done: int
    total: int
    """Parts of the work in all; at least 1."""
    left: str = ""
    """Time left in words; empty where it is not known."""
    facts: str = ""
    """Figures of the moment, such as the loss; the first is the one that matters."""

    @property
    def line(self) -> str:
        """The progress as a plain line, which `parse` reads."""
        left = f", {self.left} left" if self.left else ""
        facts = f"; {self.facts}" if self.facts else ""
        percent = 100 * self.done // self.total
        return f"{self.what}: {self.done:,} of {self.total:,}, {percent} %{left}{facts}"

    @classmethod
    def parse(cls, line: str) -> "Progress | None":
        """Read a plain line; None where it says something else."""
        found = _LINE.fullmatch(line.strip())
        if found is None:
            return None
        done, total = (int(found[name].replace(",", "")) for name in ("done", "total"))
        return cls(found["what"], done, max(1, total), found["left"] or "", found["facts"] or "")


def latest(log: Path) -> Progress | None:
    """Progress of the last line of a log that tells one, near its end; None without any."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
            tail = file.read().decode("utf-8", "replace")
    except OSError:  # not there yet
        return None
    lines = map(Progress.parse, reversed(tail.splitlines()))
    return next((progress for progress in lines if progress), None)


def duration(seconds: float) -> str:
    """Seconds in words, to two units.

    >>> duration(8.4), duration(130), duration(3 * 3600 + 61)
    ('8 s', '2 min 10 s', '3 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Display(Protocol):
    """Place where progress is shown."""

    def update(self, progress: Progress) -> None:
        """Show how far a piece of work is; called ten times a second at most."""
        ...

    def end(self, progress: Progress, seconds: float) -> None:
        """Take a piece of work away that ended, or failed, after ``seconds``."""
        ...

    def say(self, line: str, *, err: bool) -> None:
        """Print a line of its own above what is shown; ``err`` is a complaint, and no result."""
        ...


class Lines:
    """Plain lines: one every `LINE_EVERY_S`, and one at the end of what took longer."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out
        self._printed: dict[str, float] = {}

    def update(self, progress: Progress) -> None:
        """Print the progress if its last line is old enough."""
        now = time.monotonic()
        if now >= self._printed.get(progress.what, -LINE_EVERY_S) + LINE_EVERY_S:
            self._printed[progress.what] = now
            self._print(progress.line)

    def end(self, progress: Progress, seconds: float) -> None:
        """Print where the work ended."""
        self._printed.pop(progress.what, None)
        self._print(_ending(progress, seconds))

    def say(self, line: str, *, err: bool) -> None:
        """Print the line to where results go, or complaints."""
        print(line, file=sys.stderr if err else sys.stdout, flush=True)

    def _print(self, line: str) -> None:
        print(line, file=self._out or sys.stderr, flush=True)


class Bars:
    """A bar for each piece of work at the bottom of a terminal; lines go by above.

    Nothing is drawn between two updates: a thread that did would be half copied into the
    processes that training forks. rich is imported with the first bar: 0.1 s that no short command
    pays.
    """

    def __init__(self, console: Any = None) -> None:
        self._console = console
        self._drawn: Any = None
        self._tasks: dict[str, Any] = {}

    def update(self, progress: Progress) -> None:
        """Draw the bar anew."""
        if self._drawn is None:
            self._console = self._console or _console()
            self._drawn = _bars(self._console)
            self._drawn.start()
        left = f"{progress.left} left" if progress.left else ""
        shown = {"completed": progress.done, "left": left, "facts": progress.facts}
        if progress.what not in self._tasks:
            task = self._drawn.add_task(progress.what, total=progress.total, **shown)
            self._tasks[progress.what] = task
        else:
            self._drawn.update(self._tasks[progress.what], refresh=True, **shown)

    def end(self, progress: Progress, seconds: float) -> None:
        """Replace the bar by a line."""
        if progress.what in self._tasks:
            self._drawn.remove_task(self._tasks.pop(progress.what))
        if not self._tasks and self._drawn is not None:
            self._drawn.stop()
            self._drawn = None
        self.say(_ending(progress, seconds), err=True)

    def say(self, line: str, *, err: bool) -> None:
        """Print the line, above the bars where it goes to their terminal."""
        out = sys.stderr if err else sys.stdout
        if self._drawn is not None and out.isatty():
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=out, flush=True)


class Tracked:
    """A piece of work under way."""

    def __init__(self, what: str, total: int, done: int) -> None:
        self._display = _DISPLAY.get()
        self._what, self._total, self._first = what, max(1, total), done
        self._done, self._facts = done, ""
        self._begun = time.monotonic()
        self._next = self._begun + SILENT_S
        self._is_shown = False

    def to(self, done: int, facts: str = "") -> None:
        """Say that ``done`` parts are done, with the figures of the moment if there are any."""
        self._done, self._facts = done, facts or self._facts
        if self._display is not None and (now := time.monotonic()) >= self._next:
            self._next = now + DRAWN_EVERY_S
            self._is_shown = True
            self._display.update(self._progress(now - self._begun))

    def advance(self, parts: int = 1, facts: str = "") -> None:
        """Say that so many more parts are done."""
        self.to(self._done + parts, facts)

    def close(self) -> None:
        """Take the work off the display."""
        if self._display is not None and self._is_shown:
            seconds = time.monotonic() - self._begun
            self._display.end(self._progress(seconds), seconds)

    def _progress(self, seconds: float) -> Progress:
        """Progress with the time left at the pace since the beginning, once that says anything."""
        done, rest = self._done - self._first, self._total - self._done
        is_known = done > 0 and (seconds > PACE_S or PACE_PARTS * done >= done + rest)
        left = duration(seconds / done * rest) if is_known and rest > 0 else ""
        return Progress(self._what, self._done, self._total, left, self._facts)


@contextmanager
def track(what: str, total: int, *, done: int = 0) -> Iterator[Tracked]:
    """Show how far the work inside is, once it takes longer than `SILENT_S`.

    Args:
        what: Words for the work, without a colon.
        total: Parts of the work in all.
        done: Parts that an earlier run has done, which is said.
    """
    if done and (display := _DISPLAY.get()) is not None:
        display.say(f"{what}: goes on after {done:,} of {total:,}", err=True)
    tracked = Tracked(what, total, done)
    try:
        yield tracked
    finally:
        tracked.close()


def each(items: Sequence[T], what: str) -> Iterator[T]:
    """The items one by one, each a part of the work that ``what`` names."""
    with track(what, len(items)) as tracked:
        for item in items:
            yield item
            tracked.advance()


def say(line: str, *, err: bool = False) -> None:
    """Print a line above whatever is shown; ``err`` is a complaint, and no result."""
    (_DISPLAY.get() or Lines()).say(line, err=err)


def show(display: Display | None = None) -> None:
    """Show progress from now on: on ``display``, else as fits stderr; before it, nothing shows."""
    _DISPLAY.set(display or _of_terminal())


_DISPLAY: ContextVar[Display | None] = ContextVar("display", default=None)


def _of_terminal() -> Display:
    """Bars where the output, or at least the error output, is a terminal that can move up."""
    is_terminal = sys.stdout.isatty() or sys.stderr.isatty()
    can_move = os.environ.get("TERM", "").lower() not in ("", "dumb", "unknown")
    return Bars() if is_terminal and can_move else Lines()


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=not sys.stdout.isatty())


def _bars(console: Any) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Drawing
    from rich.table import Column

    one_row: dict[str, Any] = {"no_wrap": True, "overflow": "ellipsis", "ratio": 1}
    return Drawing(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        TextColumn("{task.fields[facts]}", markup=False, table_column=Column(**one_row)),
        console=console,
        auto_refresh=False,
        transient=True,
        expand=True,
    )


def _ending(progress: Progress, seconds: float) -> str:
    facts = f"; {progress.facts}" if progress.facts else ""
    of = "" if progress.done == progress.total else f" of {progress.total:,}"
    return f"{progress.what}: {progress.done:,}{of} in {duration(seconds)}{facts}"
