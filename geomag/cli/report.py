"""``geomag report``: the paper's tables with ours, and pictures of what was answered."""

from pathlib import Path
from typing import Annotated

import typer

from geomag.cli.options import Overwrite


def report(
    scores: Annotated[Path | None, typer.Option(help="Default artifacts/scores.")] = None,
    out: Annotated[Path | None, typer.Option(help="Default artifacts/report.")] = None,
    pictures: Annotated[bool, typer.Option(help="Draw the contact pictures too.")] = True,
    profile: Annotated[
        str | None, typer.Option(help="sample, laptop, small, paper, or a YAML file.")
    ] = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(help="Only this one, with --out; may be repeated."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write Tables 1 to 7 as Markdown, HTML, CSV and LaTeX."""
    from geomag.config import load_profile
    from geomag.config.load import project_root
    from geomag.data.benchmarks import BENCHMARKS, chosen_benchmarks
    from geomag.errors import AnnotationError, ConfigError
    from geomag.line_profile import line_profile
    from geomag.outputs import check_folder
    from geomag.report.build import build_report
    from geomag.report.gallery import draw_all
    from geomag.tracking import sync

    root = project_root()
    target = out or root / "artifacts" / "report"
    if out is not None:
        check_folder(
            out, "--out", inputs=[scores or root / "artifacts" / "scores"], overwrite=overwrite
        )
    elif benchmark:
        found = "the line's own report, which is about what the line has chosen"
        raise ConfigError("--benchmark", found, remedy="name another folder with --out")
    settings = load_profile(profile) if out else line_profile(profile)
    place = scores or root / "artifacts" / "scores"
    if not any((place / f"{name}.json").is_file() for name in BENCHMARKS):
        raise AnnotationError(
            str(place),
            "no score of a benchmark" if place.is_dir() else "no such folder",
            "BENCHMARK.json files, as `geomag score --json` writes them",
            "make sample, or name the folder with --scores",
        )
    chosen = [one.name for one in chosen_benchmarks(benchmark or settings.benchmarks)]
    count = settings.report.gallery if pictures else 0
    drawn = draw_all(root, target / "gallery", count=count, names=chosen) if count else {}
    done = build_report(place, target, drawn, chosen=chosen)
    sync(root)
    if others := [name for name in BENCHMARKS if name not in chosen]:
        typer.echo(f"not chosen: {', '.join(others)}")
    typer.echo(f"{len(done.cells)} cells of ours, {len(drawn)} pictures: {target / 'index.html'}")
