"""``geomag``: a file per verb; what a user can mend ends with exit code 2 and one message."""

import os
import sys
from typing import NoReturn

import typer

from geomag.boundary import told
from geomag.cli import (
    ask,
    bench,
    compare,
    convert,
    crops,
    data,
    doctor,
    experiments,
    magcrop,
    predict,
    promote,
    report,
    reproduce,
    runs,
    score,
    serve,
    trace,
    train,
)

for _name, _value in {
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "False",
    "RAY_USAGE_STATS_ENABLED": "0",
}.items():
    os.environ.setdefault(_name, _value)

app = typer.Typer(
    help="A remote-sensing vision-language model that answers, locates and segments.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(data.app, name="data")
app.add_typer(train.app, name="train")
app.add_typer(bench.app, name="bench")
app.add_typer(experiments.app, name="experiment")
app.command("doctor")(doctor.doctor)
app.command("crops")(crops.crops)
app.command("predict")(predict.predict)
app.command("score")(score.score)
app.command("compare")(compare.compare)
app.command("convert")(convert.convert)
app.command("report")(report.report)
app.command("ask")(ask.ask)
app.command("magcrop")(magcrop.magcrop)
app.command("serve")(serve.serve)
app.command("runs")(runs.runs)
app.command("promote")(promote.promote)
app.command("trace")(trace.trace)
app.command("reproduce")(reproduce.reproduce)


def main() -> NoReturn:
    """Run the command line: 0 done, 2 the input is wrong, 1 our fault (with a traceback)."""
    try:
        app()
    except Exception as wrong:
        message = told(wrong)
        if message is None:
            raise
        sys.stderr.write(f"{message}\n")
        raise SystemExit(2) from None
    raise SystemExit(0)
