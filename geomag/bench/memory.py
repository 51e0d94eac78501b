"""Resident memory of this process's children, theirs included: what a set of jobs takes at once."""

import os
import threading
from pathlib import Path
from types import TracebackType

PERIOD_S = 0.2
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Meter:
    """Samples the sum while a block runs; ``peak_mb`` afterwards. 0 where there is no /proc."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Meter":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.peak_mb = max(self.peak_mb, descendants_mb(os.getpid()))
            if self._done.wait(PERIOD_S):
                return


def descendants_mb(root: int) -> float:
    """Resident megabytes (10^6 bytes) of all processes below ``root``, itself not counted."""
    parent: dict[int, int] = {}
    pages: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        parent[int(entry.parent.name)], pages[int(entry.parent.name)] = (
            int(fields[1]),
            int(fields[21]),
        )
    below = {root}
    for pid in sorted(parent):  # a child's number is larger, save after a wrap-around
        if parent[pid] in below:
            below.add(pid)
    return sum(pages[pid] for pid in below - {root} if pid in pages) * _PAGE / 1e6
