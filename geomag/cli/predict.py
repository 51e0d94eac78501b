"""``geomag predict``: answers and masks of one benchmark's test records."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Arm(StrEnum):
    """How the model looks at the image."""

    MAGCROP = "magcrop"
    PLAIN = "plain"


def predict(
    benchmark: Annotated[str, typer.Argument(help="One of the ten benchmarks.")],
    arm: Annotated[Arm, typer.Option(help="With MagCrop, or the whole image.")] = Arm.MAGCROP,
    out: Annotated[Path | None, typer.Option(help="JSON Lines to write.")] = None,
    profile: Annotated[str | None, typer.Option(help="sample, paper, or a YAML file.")] = None,
) -> None:
    """Answer every test record of a benchmark, greedily, to JSON Lines."""
    from geomag.cli.settings import prepare
    from geomag.evaluate.predict import predict_benchmark

    settings, root = prepare(profile)
    artifacts = root / "artifacts"
    path = out or artifacts / "predictions" / benchmark / f"{arm.value}.jsonl"
    count = predict_benchmark(
        benchmark,
        arm.value,
        settings,
        data=root / "data",
        artifacts=artifacts,
        out=path,
        log=typer.echo,
    )
    typer.echo(f"{benchmark} {arm.value}: {count} predictions in {path}")
