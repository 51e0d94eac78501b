"""``geomag smoke``: the whole line on a handful of records."""

from typing import Annotated

import typer


def smoke(
    limit: Annotated[int, typer.Option(min=1, help="Records of each split.")] = 4,
    benchmark: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be repeated.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="sample, laptop, paper, or a YAML file.")
    ] = None,
) -> None:
    """Run every stage on a few records, in a folder of its own, before hours are spent.

    Models, prompts and batches are the profile's; trainings take two updates. Nothing of the line
    is touched, and what was made stays in work/smoke until the next time.
    """
    import time

    from geomag.config import load_profile, override, project_root
    from geomag.smoke import smoke as run_all

    settings, root = load_profile(profile), project_root()
    if benchmark:
        settings = override(settings, benchmarks=benchmark)  # type: ignore[arg-type]
    folder, begun = root / "work" / "smoke", time.monotonic()
    done = run_all(root, folder, settings, limit=limit, log=typer.echo)
    seconds = time.monotonic() - begun
    typer.echo(f"{len(done)} commands in {seconds:.0f} s: {folder / 'artifacts' / 'report'}")
