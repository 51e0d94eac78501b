"""``geomag predict``: answers and masks of one benchmark's test records."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from geomag.cli.options import Overwrite


class Arm(StrEnum):
    """How the model looks at the image."""

    MAGCROP = "magcrop"
    PLAIN = "plain"


class PredictedArm(StrEnum):
    """What the model is shown of each record."""

    MAGCROP = "magcrop"
    PLAIN = "plain"
    BLANK = "blank"


def predict(
    benchmark: Annotated[str, typer.Argument(help="One of the ten benchmarks.")],
    arm: Annotated[
        PredictedArm,
        typer.Option(help="Answer with MagCrop, about the whole image, or about a blank one."),
    ] = PredictedArm.MAGCROP,
    data: Annotated[
        Path | None, typer.Option(help="Your own files in the benchmark's layout; with --records.")
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option(help="Records of your own files, as `geomag data validate` wrote it."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="JSON Lines to write.")] = None,
    profile: Annotated[
        str | None, typer.Option(help="sample, laptop, small, paper, or a YAML file.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Answer every test record of a benchmark, greedily, to JSON Lines."""
    from geomag.data.benchmarks import BENCHMARKS
    from geomag.errors import ConfigError
    from geomag.outputs import check_file

    if benchmark not in BENCHMARKS:
        raise ConfigError("benchmark", repr(benchmark), f"one of {', '.join(BENCHMARKS)}")
    if (data is None) != (records is None):
        raise ConfigError("--data, --records", "one of the two", "both, or neither")
    from geomag.cli.settings import prepare
    from geomag.data.benchmarks.spec import benchmark_root
    from geomag.evaluate.predict import Source, predict_benchmark

    settings, root = prepare(profile, for_line=out is None and records is None)
    artifacts, heat = root / "artifacts", root / "work" / "heat"
    if data is not None and records is not None:
        pictures = benchmark_root(data, benchmark)
        source, folder = Source(benchmark, pictures, records, heat, is_line=False), records.parent
    else:
        stored = artifacts / "records" / benchmark / "records.jsonl"
        source = Source(benchmark, root / "data" / benchmark, stored, heat)
        folder = artifacts / "predictions" / benchmark
    path = out or folder / f"{arm.value}.jsonl"
    if out is not None or not source.is_line:
        check_file(path, "--out", inputs=[source.root, source.records], overwrite=overwrite)
    count = predict_benchmark(
        source,
        arm.value,
        settings,
        artifacts=artifacts,
        out=path,
        log=typer.echo,
    )
    typer.echo(f"{benchmark} {arm.value}, profile {settings.name}: {count} predictions in {path}")
