"""``geomag choose``: the line over some of the benchmarks, or over all again."""

from typing import Annotated

import typer


def choose(
    benchmarks: Annotated[
        list[str] | None, typer.Argument(help="Some of the ten; none: those of the profile.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    profile: Annotated[
        str | None, typer.Option(help="Becomes the line's; default: the one it has.")
    ] = None,
) -> None:
    """Say which benchmarks the line is about: DVC, Dagster, training, report and doctor.

    Writes `benchmarks` of the profile, and `params.yaml` over it. What is not chosen stays on the
    disk and is nobody's business.
    """
    from geomag.config import project_root
    from geomag.data.benchmarks import BENCHMARKS
    from geomag.errors import ConfigError
    from geomag.line_choice import choose as write_choice
    from geomag.parse import mapping, read_yaml

    if every and benchmarks:
        raise ConfigError("--all", f"beside {', '.join(benchmarks)}", "one of the two")
    root = project_root()
    path = root / "params.yaml"
    if not path.is_file():
        raise ConfigError(str(path), "no such file", "the project's folder")
    tree = mapping(read_yaml(path) or {}, str(path), ConfigError)
    names = [] if every else (benchmarks or None)
    chosen = write_choice(root, profile or str(tree.get("profile", "sample")), names)
    typer.echo(f"the line is about {', '.join(one.name for one in chosen)}")
    if others := [name for name in BENCHMARKS if name not in {one.name for one in chosen}]:
        typer.echo(f"not chosen: {', '.join(others)}")
