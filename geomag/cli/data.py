"""``geomag data``: draw the sample, check downloads, validate into records, take in new imagery."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from geomag.cli.options import Overwrite
from geomag.progress import say, track

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
    from geomag.data.benchmarks import BENCHMARKS
    from geomag.sample.layouts import write_all

    settings = load_profile().data
    written = write_all(
        out,
        seed=settings.seed if seed is None else seed,
        scale=settings.scale if scale is None else scale,
        benchmarks=tuple(benchmark or ()),
        force=force,
    )
    with track("drawing benchmarks", len(benchmark or BENCHMARKS)) as progress:
        for one in written:
            counts = ", ".join(f"{split} {count:,}" for split, count in one.counts.items())
            took = f"{one.n_bytes / 1e6:.1f} MB in {one.seconds:.1f} s"
            say(f"{one.benchmark:<16} {counts:<56} {took if one.is_new else 'unchanged'}")
            progress.advance()


@app.command()
def check(
    benchmarks: Annotated[
        list[str] | None, typer.Argument(help="Some of the ten; else those of the profile.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the benchmarks.")] = None,
    accept_count: Annotated[
        bool, typer.Option("--accept-count", help="Let split counts differ from the published.")
    ] = False,
) -> None:
    """Tell whether downloads are whole: tree, counts, first broken record, remedy."""
    from geomag.config import load_profile, override, project_root
    from geomag.data.validate.check import check_benchmark

    profile = load_profile()
    names, left_out = _asked(benchmarks, profile.benchmarks)
    if accept_count:
        profile = override(profile, data={"accept_count": names})
    results = [check_benchmark(name, data or project_root() / "data", profile) for name in names]
    for result in results:
        typer.echo("\n".join(result.lines()))
    for name in left_out:
        typer.echo(f"{name}: not chosen")
    if any(result.problem for result in results):
        raise typer.Exit(2)


@app.command()
def validate(
    benchmark: Annotated[str, typer.Argument(help="One of the ten.")],
    data: Annotated[Path | None, typer.Option(help="Folder of the benchmarks.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Gets the records; default artifacts/records/BENCHMARK.")
    ] = None,
    accept_count: Annotated[
        bool, typer.Option("--accept-count", help="Let split counts differ from the published.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Turn a benchmark's files into records, and stop if a critical expectation is broken."""
    from geomag.config import load_profile, override, project_root
    from geomag.data.validate.run import RECORD_FILES
    from geomag.data.validate.run import validate as validate_benchmark
    from geomag.line_profile import line_profile
    from geomag.outputs import check_files

    if out is not None:
        read = [] if data is None else [data]
        check_files(out, RECORD_FILES, "--out", inputs=read, overwrite=overwrite)
    profile = load_profile() if out else line_profile()
    if accept_count:
        profile = override(profile, data={"accept_count": [benchmark]})
    report = validate_benchmark(
        benchmark,
        data or project_root() / "data",
        out or project_root() / "artifacts" / "records" / benchmark,
        profile,
    )
    n_broken = sum(not outcome.is_met for outcome in report.outcomes)
    typer.echo(
        f"{benchmark}: {report.counts}, {len(report.outcomes)} expectations, {n_broken} open"
    )


@app.command()
def leakage(
    benchmarks: Annotated[
        list[str] | None, typer.Argument(help="Some of the ten; else those of the profile.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the benchmarks.")] = None,
    records: Annotated[
        Path | None, typer.Option(help="Folder of records; default artifacts/records.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Gets leakage.json and leakage.md; default artifacts/leakage."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Tell which test pictures are, or look like, a training picture of any benchmark."""
    from geomag.config import load_profile, project_root
    from geomag.data.validate.leakage import FILES, audit, page, write
    from geomag.line_profile import line_profile
    from geomag.outputs import check_files

    if out is not None:
        read = [path for path in (data, records) if path is not None]
        check_files(out, FILES, "--out", inputs=read, overwrite=overwrite)
    profile, root = load_profile() if out else line_profile(), project_root()
    folder = records or root / "artifacts" / "records"
    names, _ = _asked(benchmarks, profile.benchmarks)
    files = {name: folder / name / "records.jsonl" for name in names}
    found = audit(data or root / "data", files, most_bits=profile.data.alike_bits, log=say)
    write(found, out or root / "artifacts" / "leakage")
    typer.echo(page(found))


@app.command()
def own(
    sources: Annotated[
        list[Path], typer.Argument(help="CSV or Pascal VOC files, or folders of them.")
    ],
    layout: Annotated[str, typer.Option(help="A benchmark that takes own pictures.")],
    out: Annotated[Path, typer.Option(help="New folder: the root of the benchmark.")],
    name: Annotated[
        list[str] | None, typer.Option(help="LABEL=NAME: what a label is called; repeatable.")
    ] = None,
) -> None:
    """Write your own pictures with boxes in a benchmark's layout, as its test split."""
    from geomag.data.intake.own.write import write_own
    from geomag.errors import ConfigError

    names = dict(pair.partition("=")[::2] for pair in name or ())
    if not all(names.values()):
        raise ConfigError("--name", f"{name}", "LABEL=NAME")
    made = write_own(sources, layout=layout, out=out, names=names)
    kinds = ", ".join(f"{kind} {count}" for kind, count in made.kinds.items())
    typer.echo(f"{made.n_pictures} pictures, {made.n_boxes} boxes -> {layout} in {out}: {kinds}")


@app.command()
def add(
    drop: Annotated[Path, typer.Argument(help="Folder of labelled imagery, in its layout.")],
    benchmark: Annotated[str, typer.Option(help="One of the ten.")],
    accept_count: Annotated[
        bool, typer.Option("--accept-count", help="Let split counts differ from the published.")
    ] = False,
) -> None:
    """Take new imagery into data/BENCHMARK: checked aside first, tracked by DVC after."""
    from geomag.config import load_profile, override, project_root
    from geomag.data.intake.add import add as take_in

    profile = load_profile()
    if accept_count:
        profile = override(profile, data={"accept_count": [benchmark]})
    done = take_in(drop, benchmark, project_root(), profile)
    if not done.counts:
        typer.echo(f"{benchmark}: all of {drop} is there already")
        return
    counts = ", ".join(f"{split} {count:,}" for split, count in done.counts.items())
    typer.echo(f"{benchmark}: {len(done.new_files)} new files, now {counts}; kept in {done.folder}")


def _asked(named: list[str] | None, of_profile: Sequence[str]) -> tuple[list[str], list[str]]:
    """The named benchmarks, else the profile's, and those that the profile does not choose.

    Where benchmarks are named nothing is said of the others. Refuses a name that there is not.
    """
    from geomag.data.benchmarks import BENCHMARKS, chosen_benchmarks
    from geomag.errors import ConfigError

    for name in named or ():
        if name not in BENCHMARKS:
            raise ConfigError("benchmark", repr(name), f"one of {', '.join(BENCHMARKS)}")
    chosen = [one.name for one in chosen_benchmarks(of_profile)]
    return (named, []) if named else (chosen, [one for one in BENCHMARKS if one not in chosen])
