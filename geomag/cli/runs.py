"""``geomag runs``: what has been trained and scored, by the named views of ``mlflow/views``."""

from pathlib import Path
from typing import Annotated

import typer

SYNC = "sync"
"""Word in the place of a view."""


def runs(
    view: Annotated[
        str,
        typer.Argument(
            help="Name of a view; without one they are listed. `sync` delivers what waits."
        ),
    ] = "",
) -> None:
    """Print a view of the tracked runs, or deliver those that MLflow has missed."""
    from geomag.config import project_root
    from geomag.errors import ConfigError
    from geomag.tracking.views import read_views, search

    root = project_root()
    if view == SYNC:
        return _sync(root)
    views = read_views(root)
    if not view:
        for name, one in views.items():
            typer.echo(f"{name:<16}{one.title}")
        return None
    if view not in views:
        raise ConfigError("VIEW", repr(view), f"one of {sorted(views)}")
    rows = search(views[view], root)
    typer.echo(views[view].title)
    for row in rows:
        cells = [f"{n} {v:.4f}" if isinstance(v, float) else f"{n} {v}" for n, v in row.items()]
        typer.echo("  " + "  ".join(cells))
    return None


def _sync(root: Path) -> None:
    """Say what waits for MLflow, deliver it, and fail if it does not take it."""
    from geomag.errors import ToolError
    from geomag.tracking import sync
    from geomag.tracking.offline_queue import OfflineQueue

    for queue in OfflineQueue.all(root):
        typer.echo(str(queue))
    waiting = len(OfflineQueue.waiting(root))
    delivered = sync(root)
    if delivered < waiting:
        raise ToolError(
            "MLflow",
            f"took {delivered} of {waiting} runs that wait in {root / 'work' / 'mlflow-spool'}",
            remedy="see MLFLOW_TRACKING_URI and run geomag runs sync again; nothing is lost",
        )
    typer.echo(f"{delivered} runs delivered" if delivered else "nothing waits")
