"""A run as the terminal shows it: stages that ended go by, those that run stand below with bars.

Off a terminal, plain lines: one for each stage that ended and, twice a minute, how far the others
are. How far they are is read from their logs (`geomag.progress`).
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from geomag.progress import Progress, duration, latest

PLAIN_EVERY_S = 30.0
"""Seconds between two reports of the running stages where they are plain lines."""
FAMILIES = ("validate", "crops", "predict", "score", "model")
"""First words by which stages to come are counted together."""


class LineView:
    """Stages of one run: done, running and to come.

    Args:
        planned: Labels of all steps in the order in which they may run.
        logs: Log of each step that has one, by label.
        out: Terminal, or file of plain lines.
    """

    def __init__(self, planned: Sequence[str], logs: Mapping[str, Path], out: TextIO) -> None:
        self._to_come = dict.fromkeys(planned)
        self._logs = logs
        self._n_all, self._n_ended = len(planned), 0
        self._started: dict[str, float] = {}
        self._begun = time.monotonic()
        self._screen = _screen(self, out)

    def __enter__(self) -> Self:
        """Begin to show the run."""
        self._screen.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing but the lines of what has ended."""
        self._screen.__exit__(kind, error, trace)

    def started(self, step: str) -> None:
        """Show a step as running."""
        self._to_come.pop(step, None)
        self._started.setdefault(step, time.monotonic())

    def ended(self, step: str, line: str) -> None:
        """Print the line of a step that ended, whatever became of it."""
        self._to_come.pop(step, None)
        self._started.pop(step, None)
        self._n_ended += 1
        self.say(line)

    def say(self, line: str) -> None:
        """Print a line above what runs."""
        self._screen.say(line)

    def seconds(self, step: str) -> float:
        """Seconds since a step has started; 0 where it has not."""
        now = time.monotonic()
        return now - self._started.get(step, now)

    def running(self) -> list[tuple[str, float, Progress | None]]:
        """Label, seconds and progress of each step that runs."""
        steps = list(self._started)
        return [(step, self.seconds(step), self._progress(step)) for step in steps]

    def _progress(self, step: str) -> Progress | None:
        """What the log of a step tells; nothing where it is of an earlier run."""
        log, seconds = self._logs.get(step), self.seconds(step)
        try:
            is_new = log is not None and log.stat().st_mtime >= time.time() - seconds - 1
        except OSError:
            return None
        return latest(log) if log is not None and is_new else None

    def last_words(self, step: str) -> str:
        """What a step that was stopped says of what it has saved; empty where it says nothing."""
        log = self._logs.get(step)
        if log is None or not log.is_file():
            return ""
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        said = (line for line in reversed(lines) if line.startswith("stopped "))
        return next(said, "").removeprefix("stopped ")

    def counted(self) -> str:
        """How many steps have ended, since when, and what is to come, in words."""
        families: dict[str, list[str]] = {}
        for step in self._to_come:
            family = step.split(" ", maxsplit=1)[0]
            families.setdefault(family if family in FAMILIES else step, []).append(step)
        rest = ", ".join(
            f"{family} x {len(steps)}" if len(steps) > 1 else steps[0]
            for family, steps in families.items()
        )
        spent = duration(time.monotonic() - self._begun)
        return f"{self._n_ended} of {self._n_all} stages, {spent}; to come: {rest or 'nothing'}"

    def lines(self) -> Iterator[str]:
        """The running steps as plain lines."""
        for step, seconds, progress in self.running():
            said = progress.line if progress else duration(seconds)
            yield f".. {said}" if progress and progress.what == step else f".. {step}: {said}"
        yield f".. {self.counted()}"

    def __rich__(self) -> Any:
        """The running steps as rows of a table, with a bar where they say how far they are."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Column, Table
        from rich.text import Text

        table = Table.grid(
            Column(no_wrap=True),
            Column(width=16),
            Column(no_wrap=True, justify="right"),
            Column(no_wrap=True, overflow="ellipsis", ratio=1),
            padding=(0, 2, 0, 0),
            expand=True,
        )
        for step, seconds, progress in self.running():
            if progress is None:
                table.add_row(f"  {step}", "", duration(seconds), "")
                continue
            bar = ProgressBar(total=progress.total, completed=progress.done, width=16)
            left = f"{progress.left} left" if progress.left else duration(seconds)
            table.add_row(f"  {step}", bar, left, progress.facts)
        hint = "Ctrl-C stops; what is done stays, and the same command goes on from there."
        return Group("", table, Text(f"  {self.counted()}"), Text(f"  {hint}", style="dim"))


class _Live:
    """Live rows at the bottom of a terminal."""

    def __init__(self, view: LineView, console: Any) -> None:
        from rich.live import Live

        self._console = console
        self._live = Live(
            view,
            console=console,
            refresh_per_second=2,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        """Print a line above the rows."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Plain:
    """Lines of a file, with those of what runs in between."""

    def __init__(self, view: LineView, out: TextIO) -> None:
        self._view, self._out = view, out
        self._is_over, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._report, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over.set()
        self._thread.join()

    def say(self, line: str) -> None:
        """Print a line."""
        with self._lock:
            self._out.write(f"{line}\n")
            self._out.flush()

    def _report(self) -> None:
        while not self._is_over.wait(PLAIN_EVERY_S):
            self.say("\n".join(self._view.lines()))


def _screen(view: LineView, out: TextIO) -> _Live | _Plain:
    if out.isatty():
        from rich.console import Console

        console = Console(file=out)
        if not console.is_dumb_terminal:
            return _Live(view, console)
    return _Plain(view, out)
