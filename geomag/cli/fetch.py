"""``geomag fetch``: pinned checkpoints, and benchmarks where the hub has them."""

import os
from pathlib import Path
from typing import Annotated

import typer

from geomag.cli.offline import allow_network


def fetch(
    profiles: Annotated[
        list[str] | None, typer.Argument(help="Whose checkpoints: small, paper.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(help="A benchmark: where it is published, and its files from the hub."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Default: the project's folder, where profiles look.")
    ] = None,
) -> None:
    """Download what a profile's paths name, at pinned revisions, and compare the digests.

    Goes on where it stopped; with HF_HUB_OFFLINE=1 it takes what the hub's cache has.
    """
    allow_network()
    from geomag.config import load_profile, project_root
    from geomag.data.benchmarks import BENCHMARKS
    from geomag.errors import ConfigError
    from geomag.fetch.data import fetch_data
    from geomag.fetch.hub import fetch as fetch_source
    from geomag.fetch.sources import weights_of

    if not profiles and not data:
        raise ConfigError("geomag fetch", "nothing named", "a profile, or --data NAME")
    root = out or project_root()
    for name in data or ():
        if name not in BENCHMARKS:
            raise ConfigError("--data", repr(name), f"one of {', '.join(BENCHMARKS)}")
    for profile in profiles or ():
        settings = load_profile(profile)
        paths = {
            "vlm.path": settings.vlm.path,
            "encoder.path": settings.encoder.path,
            "text_encoder.path": settings.text_encoder.path,
        }
        for setting, source in weights_of(settings.name).items():
            fetch_source(source, root / paths[setting], log=typer.echo)
    left = [
        name
        for name in data or ()
        if not fetch_data(BENCHMARKS[name], root / "data", root / "downloads", log=typer.echo)
    ]
    if left:
        typer.echo(f"by you, into {os.path.relpath(root / 'data')}: {', '.join(left)}")
