"""``geomag crops``: Eq 4 heatmaps of one benchmark's records."""

from typing import Annotated

import typer


def crops(
    benchmark: Annotated[str, typer.Argument(help="A benchmark of region or pixel level.")],
    profile: Annotated[
        str | None, typer.Option(help="sample, laptop, small, paper, or a YAML file.")
    ] = None,
) -> None:
    """Probe where the VLM looks for each record's prompt, and store the heatmaps."""
    from geomag.cli.settings import prepare
    from geomag.evaluate.crops import make_crops

    settings, root = prepare(profile, for_line=True)
    count = make_crops(
        benchmark,
        settings,
        data=root / "data",
        artifacts=root / "artifacts",
        work=root / "work",
    )
    typer.echo(f"{benchmark}: {count} heatmaps")
