"""``geomag``: a file per verb; what a user can mend ends with exit code 2 and one message."""

import os
import sys
import warnings
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from geomag.boundary import told
from geomag.cli import (
    ask,
    bench,
    choose,
    compare,
    compare_line,
    convert,
    crops,
    data,
    doctor,
    experiments,
    fetch,
    magcrop,
    predict,
    promote,
    rehearse,
    report,
    reproduce,
    runs,
    score,
    serve,
    smoke,
    stopping,
    trace,
    train,
    verify,
)
from geomag.progress import show

for _name, _value in {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "False",
    "RAY_USAGE_STATS_ENABLED": "0",
}.items():
    os.environ.setdefault(_name, _value)
warnings.filterwarnings("ignore", category=FutureWarning)  # what tools tell their programmers

_ASK, _SCORE, _LINE, _RECORD, _MEASURE = (
    "Ask",
    "Score anybody's predictions",
    "The line, stage by stage",
    "The record",
    "Measure",
)

app = typer.Typer(
    help="A remote-sensing vision-language model that answers, locates and segments.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("ask", rich_help_panel=_ASK)(ask.ask)
app.command("magcrop", rich_help_panel=_ASK)(magcrop.magcrop)
app.command("serve", rich_help_panel=_ASK)(serve.serve)
app.command("score", rich_help_panel=_SCORE)(score.score)
app.command("compare", rich_help_panel=_SCORE)(compare.compare)
app.command("convert", rich_help_panel=_SCORE)(convert.convert)
app.command("doctor", rich_help_panel=_LINE)(doctor.doctor)
app.command("fetch", rich_help_panel=_LINE)(fetch.fetch)
app.command("smoke", rich_help_panel=_LINE)(smoke.smoke)
app.command("choose", rich_help_panel=_LINE)(choose.choose)
app.add_typer(data.app, name="data", rich_help_panel=_LINE)
app.command("crops", rich_help_panel=_LINE)(crops.crops)
app.add_typer(train.app, name="train", rich_help_panel=_LINE)
app.command("predict", rich_help_panel=_LINE)(predict.predict)
app.command("merge", rich_help_panel=_LINE)(predict.merge)
app.command("report", rich_help_panel=_LINE)(report.report)
app.command("runs", rich_help_panel=_RECORD)(runs.runs)
app.command("promote", rich_help_panel=_RECORD)(promote.promote)
app.command("trace", rich_help_panel=_RECORD)(trace.trace)
app.command("verify", rich_help_panel=_RECORD)(verify.verify)
app.command("compare-line", rich_help_panel=_RECORD)(compare_line.compare_line)
app.command("reproduce", rich_help_panel=_RECORD)(reproduce.reproduce)
app.command("rehearse", rich_help_panel=_MEASURE)(rehearse.rehearse)
app.add_typer(bench.app, name="bench", rich_help_panel=_MEASURE)
app.add_typer(experiments.app, name="experiment", rich_help_panel=_MEASURE)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"geomag {version('geomag')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print it and leave."
        ),
    ] = False,
) -> None:
    """A remote-sensing vision-language model that answers, locates and segments."""
    show()


def main() -> NoReturn:
    """Run the command line: 0 done, 2 wrong input, 130 stopped, 1 our fault (a traceback)."""
    try:
        app()
    except SystemExit as ended:  # of typer, which ends a command that Ctrl-C stopped without a word
        if ended.code == stopping.INTERRUPTED and not isinstance(ended, stopping.StateSavedExit):
            sys.stderr.write(stopping.WORDS)
        raise
    except Exception as wrong:
        message = told(wrong)
        if message is None:
            raise
        sys.stderr.write(f"{message}\n")
        raise SystemExit(2) from None
    raise SystemExit(0)
