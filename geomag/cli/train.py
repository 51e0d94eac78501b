"""``geomag train``: the jobs that make weights, one command a pipeline stage."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Train the parts of the model, a stage at a time.", no_args_is_help=True)

Profile = Annotated[str | None, typer.Option(help="sample, paper, or a YAML file.")]


@app.command()
def granularity(
    out: Annotated[
        Path | None, typer.Option(help="Default: artifacts/models/granularity of the project.")
    ] = None,
    profile: Profile = None,
) -> None:
    """Task Granularity Classifier: image, region or pixel, from the words of a query."""
    from geomag.config import load_profile, project_root
    from geomag.magcrop.text_encoder import build_text_encoder
    from geomag.train.granularity import train_granularity

    settings = load_profile(profile)
    run = train_granularity(
        settings.granularity,
        build_text_encoder(settings.text_encoder),
        out or project_root() / "artifacts" / "models" / "granularity",
        log=typer.echo,
    )
    unseen = run.metrics["unseen_templates"]
    typer.echo(f"truth \\ answer   {'  '.join(unseen['labels'])}")
    for label, row in zip(unseen["labels"], unseen["confusion"], strict=True):
        typer.echo(f"{label:<14} " + "  ".join(f"{count:>6}" for count in row))
