"""How a training that was asked to stop leaves: state saved, one line, exit code 130."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""Exit code of a command that was stopped by Ctrl-C or SIGTERM."""
WORDS = (
    "Stopped; nothing is half-written. Run the same command again: heatmaps, answers and "
    "checkpoints that are there are not made twice (`geomag ask` goes on with --resume).\n"
)
"""What a command says that says nothing itself of what it has kept."""


class StateSavedExit(SystemExit):
    """End of a command that has said what it saved."""


@contextmanager
def stopping_quietly() -> Iterator[None]:
    """Turn `Stopped` into exit code 130; the next run of the same command resumes."""
    from geomag.train.loop import Stopped

    try:
        yield
    except Stopped as stopped:
        sys.stderr.write(f"{stopped}\n")
        raise StateSavedExit(INTERRUPTED) from None
