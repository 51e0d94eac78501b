"""``geomag data``: draw the sample, check downloads, validate into records, take in new imagery."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Draw the sample, check downloads, validate, add.", no_args_is_help=True)


@app.command()
def sample(
    out: Annotated[Path, typer.Option(help="Folder that gets one folder a benchmark.")] = Path(
        "data"
    ),
    benchmark: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be repeated.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the scenes; default: the profile's.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="Multiplies the counts; default: the profile's.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Draw again what is there already.")] = False,
) -> None:
    """Draw scenes and write the ten benchmarks in their download layouts."""
    from geomag.config import load_profile
    from geomag.data.sample import write_all

    settings = load_profile().data
    written = write_all(
        out,
        seed=settings.seed if seed is None else seed,
        scale=settings.scale if scale is None else scale,
        benchmarks=tuple(benchmark or ()),
        force=force,
    )
    for one in written:
        counts = ", ".join(f"{split} {count:,}" for split, count in one.counts.items())
        done = f"{one.n_bytes / 1e6:.1f} MB in {one.seconds:.1f} s" if one.is_new else "unchanged"
        typer.echo(f"{one.benchmark:<16} {counts:<56} {done}")
