"""``geomag rehearse``: the whole line at real size on random weights, before any download."""

from pathlib import Path
from typing import Annotated

import typer


def rehearse(
    profile: Annotated[str, typer.Option(help="paper, small, or a YAML file.")] = "paper",
    layers: Annotated[
        int, typer.Option(min=0, help="Decoder layers; 0: as many as the checkpoint has.")
    ] = 0,
    out: Annotated[
        Path, typer.Option(help="Folder of its own: empty, or an earlier rehearsal.")
    ] = Path("work/rehearsal"),
    records: Annotated[
        int, typer.Option(min=1, help="Records of each split of each benchmark.")
    ] = 2,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(help="Only this one; may be repeated. Default: one of each task."),
    ] = None,
    tiny: Annotated[
        bool, typer.Option("--tiny", help="Tiny widths: tries the rehearsal, measures nothing.")
    ] = False,
) -> None:
    """Run every stage on checkpoints of random weights, and tell what the full line would take.

    Writes the checkpoints in their published formats (15 GB for LLaVA-1.5-7B), draws a few records,
    and runs the verbs of the line in a project of their own. Nothing is downloaded.
    """
    from geomag.config import load_profile
    from geomag.rehearse.rehearsal import FIGURES, Asked
    from geomag.rehearse.rehearsal import rehearse as run

    asked = Asked(layers=layers, records=records, benchmarks=tuple(benchmark or ()), is_tiny=tiny)
    run(load_profile(profile), out, asked, log=typer.echo)
    typer.echo(f"figures: {out / FIGURES}")
