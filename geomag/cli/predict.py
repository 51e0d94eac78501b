"""``geomag predict``: answers and masks of one benchmark's test records, whole or in shards."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geomag.cli.options import Overwrite

if TYPE_CHECKING:
    from geomag.evaluate.predict import Source


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
    shard: Annotated[
        str | None, typer.Option(help="i/n: the i-th of n parts; `geomag merge` joins them.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="Only the first N records, with --out; 0: all.")
    ] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Answer every test record of a benchmark, greedily, to JSON Lines.

    A run that was killed is gone on with by the same command.
    """
    from geomag.data.benchmarks import BENCHMARKS
    from geomag.errors import ConfigError
    from geomag.evaluate.predictions.plan import Shard

    if benchmark not in BENCHMARKS:
        raise ConfigError("benchmark", repr(benchmark), f"one of {', '.join(BENCHMARKS)}")
    if (data is None) != (records is None):
        raise ConfigError("--data, --records", "one of the two", "both, or neither")
    if limit and out is None and records is None:
        found = "the line's own file, which has every record"
        raise ConfigError("--limit", found, remedy="name another file with --out")
    part = Shard.parse(shard) if shard is not None else Shard()
    from geomag.cli.settings import prepare
    from geomag.evaluate.predict import predict_benchmark
    from geomag.outputs import check_file

    settings, root = prepare(profile, for_line=out is None and records is None)
    source = replace(_source(root, benchmark, data, records), limit=limit, shard=part)
    path = out or _default_path(root, source, arm.value)
    if out is not None or not source.is_line:
        check_file(path, "--out", inputs=[source.root, source.records], overwrite=overwrite)
    elif part.count == 1:
        source = replace(source, finished=_shards(root, benchmark))
    count = predict_benchmark(
        source,
        arm.value,
        settings,
        artifacts=root / "artifacts",
        out=path,
        log=typer.echo,
    )
    typer.echo(f"{benchmark} {arm.value}, profile {settings.name}: {count} predictions in {path}")


def merge(
    shards: Annotated[list[Path], typer.Argument(help="All shards of one prediction.")],
    out: Annotated[Path, typer.Option(help="JSON Lines to write.")],
    overwrite: Overwrite = False,
) -> None:
    """Put shards of `geomag predict --shard` together, to the bytes of one pass."""
    from geomag.evaluate.predictions.shards import merge_shards
    from geomag.outputs import check_file

    check_file(out, "--out", inputs=shards, overwrite=overwrite)
    count = merge_shards(shards, out)
    typer.echo(f"{count} predictions of {len(shards)} shards in {out}")


def _source(root: Path, benchmark: str, data: Path | None, records: Path | None) -> "Source":
    """The line's records, or those that ``--data`` and ``--records`` name."""
    from geomag.data.benchmarks.spec import benchmark_root
    from geomag.evaluate.predict import Source

    heat = root / "work" / "heat"
    if data is not None and records is not None:
        return Source(benchmark, benchmark_root(data, benchmark), records, heat, is_line=False)
    stored = root / "artifacts" / "records" / benchmark / "records.jsonl"
    return Source(benchmark, root / "data" / benchmark, stored, heat)


def _default_path(root: Path, source: "Source", arm: str) -> Path:
    """Where an arm's answers go, or a shard of them."""
    from geomag.evaluate.predictions.shards import shard_file

    if not source.is_line:
        folder = source.records.parent
    elif source.shard.count > 1:
        folder = _shards(root, source.benchmark)
    else:
        folder = root / "artifacts" / "predictions" / source.benchmark
    return (
        shard_file(folder, arm, source.shard) if source.shard.count > 1 else folder / f"{arm}.jsonl"
    )


def _shards(root: Path, benchmark: str) -> Path:
    """Folder of the line's shards: state that goes once the whole is there."""
    return root / "work" / "predict" / benchmark
