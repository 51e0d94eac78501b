"""``geomag runs``: what has been trained and scored, by the named views of ``mlflow/views``."""

from typing import Annotated

import typer


def runs(
    view: Annotated[str, typer.Argument(help="Name of a view; without one they are listed.")] = "",
) -> None:
    """Print a view of the tracked runs."""
    from geomag.config import project_root
    from geomag.errors import ConfigError
    from geomag.tracking.views import read_views, search

    root = project_root()
    views = read_views(root)
    if not view:
        for name, one in views.items():
            typer.echo(f"{name:<16}{one.title}")
        return
    if view not in views:
        raise ConfigError("VIEW", repr(view), f"one of {sorted(views)}")
    rows = search(views[view], root)
    typer.echo(views[view].title)
    for row in rows:
        cells = [f"{n} {v:.4f}" if isinstance(v, float) else f"{n} {v}" for n, v in row.items()]
        typer.echo("  " + "  ".join(cells))
