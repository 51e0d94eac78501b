"""``geomag reproduce``: make a number of the report's tables again, in a clone of its commit."""

import shutil
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geomag.cli.options import Outcome

if TYPE_CHECKING:
    from geomag.report.reproduce import Reproduction


class First(StrEnum):
    """The earliest stage that runs again."""

    VALIDATE = "validate"
    BASE = "base"
    GRANULARITY = "granularity"
    CROPS = "crops"
    TRAIN = "train"
    PREDICT = "predict"
    SCORE = "score"


def reproduce(
    cell: Annotated[str, typer.Argument(help="table/benchmark/split/arm/metric, of cells.json.")],
    first: Annotated[
        First, typer.Option("--from", help="Run this stage and what follows; check out the rest.")
    ] = First.PREDICT,
    commit: Annotated[str, typer.Option(help="The one that the cell was made at.")] = "HEAD",
    out: Annotated[Path | None, typer.Option(help="Keep the clone here.")] = None,
    json: Outcome = None,
) -> None:
    """Make a table cell again and compare digits; exit code 1 if one differs, naming where."""
    from geomag.config import project_root
    from geomag.errors import ConfigError
    from geomag.io import write_json
    from geomag.report.reproduce import reproduce as make_again

    if out is not None and out.exists():
        raise ConfigError("--out", f"{out} exists", "a new folder")
    scratch = None if out else Path(tempfile.mkdtemp(prefix="geomag-reproduce-"))
    folder = out.resolve() if out else Path(str(scratch)) / "clone"
    is_same = True
    try:
        done = make_again(
            cell,
            project_root(),
            folder,
            commit=commit,
            first=first.value,
            log=lambda stage: typer.echo(f"running {stage}", err=True),
        )
        is_same = done.is_same
    finally:
        if scratch and is_same:
            shutil.rmtree(scratch, ignore_errors=True)
    if json is not None:
        write_json(json, done.to_json())
    typer.echo("\n".join(_lines(done)))
    if not is_same:
        typer.echo(f"the clone is kept in {folder}")
        raise typer.Exit(1)


def _lines(done: "Reproduction") -> list[str]:
    lines = [
        f"{done.cell} at {done.commit[:12]}, made again by {', '.join(done.stages)}",
        f"recorded  {done.recorded}",
        f"rebuilt   {done.rebuilt or 'nothing'}",
        "the digits agree" if done.is_same else "the digits differ",
    ]
    if done.difference:
        return [*lines, f"first difference: {done.difference}"]
    return [*lines, "every file that was made again is the same to the byte"]
