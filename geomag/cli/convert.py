"""``geomag convert``: other projects' prediction files as ours."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geomag.cli.options import Overwrite

if TYPE_CHECKING:
    from geomag.data.records import Record


def convert(
    name: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="coco, csv, earthdial, geochat-bench, glamm, jsonl, lmms-eval, vlmevalkit, or an "
            "added one.",
        ),
    ],
    source: Annotated[Path, typer.Argument(help="File, or folder for glamm.")],
    out: Annotated[Path, typer.Argument(help="Predictions (.jsonl) to write.")],
    benchmark: Annotated[
        str | None, typer.Option(help="Benchmark whose ids are to be found, where a file has none.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The benchmark's own files.")] = None,
    records: Annotated[
        Path | None, typer.Option(help="Records file; default artifacts/records/BENCHMARK.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Default: the test splits.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Turn predictions of another project into a file that `geomag score` reads.

    Example: geomag convert earthdial answers.jsonl mine.jsonl --benchmark rsvqa_lr
    """
    from geomag.evaluate.importers.formats import convert as convert_file
    from geomag.extend import load_plugins
    from geomag.outputs import check_file

    read = [path for path in (source, data, records) if path is not None]
    check_file(out, "OUT", inputs=read, overwrite=overwrite)
    load_plugins()
    asked = _asked(benchmark, records, data, split) if benchmark else None
    done = convert_file(name, source, out, asked)
    typer.echo(f"{done.n_rows} predictions: {out}")
    if benchmark:
        told = done.matches
        typer.echo(
            f"ids: {told.n_by_id} of the file, {told.n_unique} by question and answer, "
            f"{told.n_ambiguous} among records that share both"
        )
    if done.n_replaced:
        typer.echo(f"{done.n_replaced} of them held half a character, now a question mark")


def _asked(
    benchmark: str, records: Path | None, data: Path | None, split: str | None
) -> "Iterator[Record]":
    """Records of the split, else of the benchmark's test splits."""
    from geomag.cli.score import scoring
    from geomag.data.benchmarks import BENCHMARKS

    job = scoring(benchmark, records, data, split, None)
    wanted = {job.split} if job.split else set(BENCHMARKS[benchmark].test_splits)
    return (record for record in job.records if record.split in wanted)
