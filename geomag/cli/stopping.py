"""How a training that was asked to stop leaves: state saved, one line, exit code 130."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stopping_quietly() -> Iterator[None]:
    """Turn `Stopped` into exit code 130; the next run of the same command resumes."""
    from geomag.train.loop import Stopped

    try:
        yield
    except Stopped as stopped:
        sys.stderr.write(f"{stopped}\n")
        raise SystemExit(130) from None
