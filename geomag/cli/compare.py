"""``geomag compare``: is A better than B, is it worse, or can this test set not tell?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geomag.cli.options import Overwrite

if TYPE_CHECKING:
    from geomag.evaluate.score.compare import Comparison, MetricGap


def compare(
    first: Annotated[Path, typer.Argument(help="Predictions A (.jsonl).")],
    second: Annotated[Path, typer.Argument(help="Predictions B (.jsonl).")],
    benchmark: Annotated[str, typer.Option(help="Name of the benchmark.")],
    data: Annotated[Path | None, typer.Option(help="The benchmark's own files.")] = None,
    records: Annotated[Path | None, typer.Option(help="Records file.")] = None,
    split: Annotated[str | None, typer.Option(help="Default: test.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the comparison here.")] = None,
    profile: Annotated[
        str | None, typer.Option(help="sample, laptop, small, paper, or a YAML file.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare two predictions files, paired by image; needs no torch and no GPU."""
    from geomag.cli.score import scoring
    from geomag.evaluate.score.compare import compare as compare_files
    from geomag.io import write_json
    from geomag.outputs import check_file

    if json is not None:
        read = [path for path in (first, second, data, records) if path is not None]
        check_file(json, "--json", inputs=read, overwrite=overwrite)
    job = scoring(benchmark, records, data, split, profile)
    found = compare_files(benchmark, first, second, job.records, job.context, split=job.split)
    if json is not None:
        write_json(json, found.to_json())
    typer.echo(_table(found))


def _table(found: "Comparison") -> str:
    lines = [
        f"{found.benchmark} {found.split}: {found.n_records} records, {found.n_images} images; "
        "A − B [95 % paired interval], p after Holm, smallest difference this set can tell",
        *(_line(gap.metric, gap) for gap in found.gaps),
    ]
    for name, one in found.slices.items():
        told = [gap for gap in one.gaps if _tells(gap)]
        lines += [_line(f"{name} ({one.n_records}) {gap.metric}", gap) for gap in told]
    return "\n".join(lines)


def _tells(gap: "MetricGap") -> bool:
    return gap.outcome != "undecided"


def _line(name: str, gap: "MetricGap") -> str:
    between = f"[{gap.low:+.4f}, {gap.high:+.4f}]"
    return (
        f"{name:<40}{gap.first:>8.4f}{gap.second:>8.4f}  {gap.difference:+.4f} {between:<20}"
        f"  p {gap.p_holm:.4f}  {gap.outcome:<10} {gap.detectable:.4f}"
    )
