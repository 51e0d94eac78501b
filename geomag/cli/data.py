"""``geomag data``: draw the sample, check downloads, validate into records, take in new imagery."""

import typer

app = typer.Typer(help="Draw the sample, check downloads, validate, add.", no_args_is_help=True)
