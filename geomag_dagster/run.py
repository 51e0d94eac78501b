"""``python -m geomag_dagster.run [JOB]``: make the project ready, run a job, print the scores.

The same run as a click on Materialize, on the same instance: the UI shows it afterwards.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TextIO

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.api import create_execution_plan, execute_run_iterator

from geomag.boundary import told
from geomag.config import load_profile, project_root
from geomag.evaluate.recorded import NoRecordError, compare_line
from geomag.evaluate.score.table import arms_of, table
from geomag.io import read_json
from geomag.line_profile import refuse_other_profile
from geomag.progress import duration
from geomag_dagster import definitions
from geomag_dagster.home import dagster_home
from geomag_dagster.naming import DATA, benchmarks_of
from geomag_dagster.project import missing_data, prepare, report_datasets
from geomag_dagster.stages import read_stages
from geomag_dagster.view import LineView

JOBS = {
    "whole_line": definitions.whole_line,
    "retrain": definitions.retrain,
    "evaluate_only": definitions.evaluate_only,
}
LOGS = "work/logs"
"""Folder of the stages' logs, below the project."""
STOPPED = "Stopped. What is done stays; run the same command again to go on from there.\n"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Outcome(Enum):
    """How a run ended, with the exit code of the command."""

    SUCCEEDED = 0
    FAILED = 1
    STOPPED = 128 + signal.SIGINT


def run_job(name: str, root: Path, out: TextIO) -> Outcome:
    """Run one job to its end, and show it on ``out``."""
    refuse_other_profile(root)
    stages = read_stages(root)
    benchmarks = benchmarks_of(stages)
    home = dagster_home(root)
    missing = missing_data(root, benchmarks)
    logs = {_label(stage.name): root / LOGS / f"{stage.name}.log" for stage in stages.values()}
    logs[DATA] = root / LOGS / f"{DATA}.log"
    job = dg.reconstructable(JOBS[name])
    plan = create_execution_plan(job, run_config=QUIET).get_all_steps_in_topo_order()
    planned = [*([DATA] if missing else []), *(_label(step.key) for step in plan)]
    with LineView(planned, logs, out) as view:
        if missing:
            view.started(DATA)
        source = load_profile(root=root).data.source
        prepare(root, benchmarks, profile_source=source, log=logs[DATA])
        if missing:
            view.ended(DATA, _ending("done", DATA, view.seconds(DATA)))
        with dg.DagsterInstance.from_config(str(home)) as instance:
            report_datasets(instance, root, benchmarks)
            return _follow(job, instance, view)


def score_tables(root: Path) -> Iterator[str]:
    """The line's score tables as lines of text: every metric with its interval, arm by arm."""
    for name in benchmarks_of(read_stages(root)):
        path = root / "artifacts" / "scores" / f"{name}.json"
        if not path.is_file():
            continue
        for arm, score in arms_of(read_json(path)).items():
            yield f"\n{table(arm, score)}"


def _follow(job: ReconstructableJob, instance: dg.DagsterInstance, view: LineView) -> Outcome:
    """Run the job and show each step that starts or ends."""
    run = instance.create_run_for_job(
        job_def=job.get_definition(), run_config=QUIET, job_code_origin=job.get_python_origin()
    )
    outcome, ran = Outcome.SUCCEEDED, set[str]()
    kind = dg.DagsterEventType
    for event in execute_run_iterator(job, run, instance):
        step = _label(event.step_key or "")
        if event.event_type == kind.STEP_START:
            view.started(step)
        elif event.event_type == kind.ASSET_MATERIALIZATION:
            said = event.step_materialization_data.materialization.metadata.get("command ran")
            if said is None or said.value:  # the gate has no DVC command, and always runs
                ran.add(step)
        elif event.event_type == kind.STEP_SUCCESS:
            how = "done" if step in ran else "current"
            view.ended(step, _ending(how, step, view.seconds(step)))
        elif event.event_type == kind.STEP_FAILURE and _is_interrupt(event):
            outcome = Outcome.STOPPED
            kept = view.last_words(step) or "what it had begun is begun again"
            view.ended(step, f"  stopped {step}: {kept}")
        elif event.event_type == kind.STEP_FAILURE:
            outcome = Outcome.FAILED
            view.ended(step, f"  FAILED  {step}\n{_why(event)}")
        elif event.event_type == kind.STEP_SKIPPED:
            outcome = Outcome.STOPPED if outcome is Outcome.STOPPED else Outcome.FAILED
            view.ended(step, f"  skipped {step}")
        elif event.event_type == kind.PIPELINE_FAILURE and outcome is not Outcome.STOPPED:
            outcome = Outcome.FAILED
            view.say(f"{event.message} (Dagster run {run.run_id})")
    return outcome


def _is_interrupt(event: dg.DagsterEvent) -> bool:
    """Whether a step failed because somebody, with Ctrl-C for one, stopped the run."""
    error = event.step_failure_data.error
    return error is not None and error.cls_name == DagsterExecutionInterruptedError.__name__


def _label(name: str) -> str:
    """A step or stage as the terminal names it.

    >>> _label("predict@aid-plain"), _label("predict__aid__plain")
    ('predict aid plain', 'predict aid plain')
    """
    return name.replace("__", " ").replace("@", " ").replace("-", " ")


def _ending(how: str, step: str, seconds: float) -> str:
    return f"  {how:<8}{step:<36}{seconds:7.1f} s"


def _why(event: dg.DagsterEvent) -> str:
    """What the stage said; the stack of our own code only where it said nothing."""
    told = event.step_failure_data.user_failure_data
    return str(told.description if told else event.step_failure_data.error_display_string)


def _against_record(root: Path) -> str:
    """How these scores stand to the committed ones, in a line; empty where none are committed."""
    try:
        return f"\n{compare_line(root).summary()} (geomag compare-line)\n"
    except NoRecordError:
        return ""


@contextmanager
def _own_terminal(log: Path) -> Iterator[TextIO]:
    """Keep the terminal for our lines: what stages print goes to their logs and to the UI.

    What tools say on a terminal's error output, warnings for the most part, goes to ``log``.
    """
    kept = {1: os.dup(1), 2: os.dup(2)}
    is_terminal = os.isatty(1) and os.isatty(2)
    if is_terminal:
        log.parent.mkdir(parents=True, exist_ok=True)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    if is_terminal:
        with log.open("wb") as beside:
            os.dup2(beside.fileno(), 2)
    try:
        with os.fdopen(kept[1], "w", closefd=False) as out:
            yield out
    finally:
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)


def main() -> int:
    """Exit code 0 when all is up to date, 1 when a stage failed, 2 when the set-up is wrong."""
    parser = argparse.ArgumentParser(prog="python -m geomag_dagster.run")
    parser.add_argument("job", nargs="?", choices=sorted(JOBS), default="whole_line")
    chosen = parser.parse_args()
    root = project_root()
    begun = time.monotonic()
    try:
        with _own_terminal(root / LOGS / "run.log") as out:
            outcome = run_job(chosen.job, root, out)
            if outcome is Outcome.SUCCEEDED:
                out.writelines(f"{line}\n" for line in score_tables(root))
                out.write(_against_record(root))
            out.write(f"\n{chosen.job}: {duration(time.monotonic() - begun)}. Logs: {LOGS}/\n")
    except KeyboardInterrupt:
        outcome = Outcome.STOPPED
    except Exception as wrong:
        message = told(wrong)
        if message is None:
            raise
        sys.stderr.write(f"{message}\n")
        return 2
    if outcome is Outcome.STOPPED:
        sys.stderr.write(STOPPED)
    return outcome.value


if __name__ == "__main__":
    raise SystemExit(main())
