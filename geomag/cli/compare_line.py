"""``geomag compare-line``: whether the scores of this line are the recorded ones."""

from typing import TYPE_CHECKING, Annotated

import typer

from geomag.cli.options import Outcome

if TYPE_CHECKING:
    from geomag.evaluate.recorded import LineDrift, MetricDrift


def compare_line(
    against: Annotated[str, typer.Option(help="Commit whose score files are the record.")] = "HEAD",
    json: Outcome = None,
) -> None:
    """Compare this line's scores with a commit's: equal, within its 95 % intervals, or different.

    Exit code 1 if a metric is different. Example: geomag compare-line --against main
    """
    from geomag.config import project_root
    from geomag.evaluate.recorded import compare_line as compare_with
    from geomag.io import write_json

    drift = compare_with(project_root(), against)
    if json is not None:
        write_json(json, drift.to_json())
    typer.echo("\n".join(_lines(drift)))
    if drift.count("different"):
        raise typer.Exit(1)


def _lines(drift: "LineDrift") -> list[str]:
    told = [_line(metric) for metric in drift.metrics if metric.outcome != "equal"]
    return [*told, drift.summary()]


def _line(metric: "MetricDrift") -> str:
    name = f"{metric.benchmark} {metric.arm} {metric.metric}"
    low, high = metric.interval or (None, None)
    between = f"[{_number(low)}, {_number(high)}]"
    recorded = f"recorded {_number(metric.recorded)} {between}"
    return f"{metric.outcome:<14}{name:<44}{_number(metric.here):>8}  {recorded}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
