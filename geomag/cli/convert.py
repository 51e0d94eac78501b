"""``geomag convert``: other projects' prediction files as ours."""

from pathlib import Path
from typing import Annotated

import typer

from geomag.cli.options import Overwrite


def convert(
    name: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT", help="coco, csv, geochat-bench, glamm, jsonl, or an added one."
        ),
    ],
    source: Annotated[Path, typer.Argument(help="File, or folder for glamm.")],
    out: Annotated[Path, typer.Argument(help="Predictions (.jsonl) to write.")],
    overwrite: Overwrite = False,
) -> None:
    """Turn predictions of another project into a file that `geomag score` reads."""
    from geomag.evaluate.importers.formats import convert as convert_file
    from geomag.extend import load_plugins
    from geomag.outputs import check_file

    check_file(out, "OUT", inputs=[source], overwrite=overwrite)
    load_plugins()
    done = convert_file(name, source, out)
    typer.echo(f"{done.n_rows} predictions: {out}")
    if done.n_replaced:
        typer.echo(f"{done.n_replaced} of them held half a character, now a question mark")
