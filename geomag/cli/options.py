"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer


def new_file(parameter: typer.CallbackParam, path: Path | None) -> Path | None:
    """The path, if nothing is there yet; refused before anything is computed for it."""
    if path is not None:
        from geomag.outputs import check_file

        check_file(path, f"--{parameter.name}", can_overwrite=False)
    return path


Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace what is there; never an input."),
]
Figures = Annotated[
    Path | None, typer.Option(help="Write the figures here, a new file.", callback=new_file)
]
Outcome = Annotated[
    Path | None, typer.Option(help="Write the outcome here, a new file.", callback=new_file)
]
