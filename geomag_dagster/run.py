"""``python -m geomag_dagster.run [JOB]``: make the project ready, run a job, print the scores.

The same run as a click on Materialize, on the same instance: the UI shows it afterwards.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import dagster as dg
from dagster._core.execution.api import execute_run_iterator

from geomag.boundary import told
from geomag.config import load_profile, project_root
from geomag.evaluate.recorded import NoRecordError, compare_line
from geomag.evaluate.score.table import arms_of, table
from geomag.io import read_json
from geomag.line_profile import refuse_other_profile
from geomag_dagster import definitions
from geomag_dagster.home import dagster_home
from geomag_dagster.naming import benchmarks_of
from geomag_dagster.project import prepare, report_datasets
from geomag_dagster.stages import read_stages

JOBS = {
    "whole_line": definitions.whole_line,
    "retrain": definitions.retrain,
    "evaluate_only": definitions.evaluate_only,
}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_job(name: str, root: Path, out: TextIO) -> bool:
    """Run one job to its end, with a line per step; returns whether it succeeded."""
    refuse_other_profile(root)
    benchmarks = benchmarks_of(read_stages(root))
    home = dagster_home(root)
    prepare(root, benchmarks, profile_source=load_profile(root=root).data.source)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        report_datasets(instance, root, benchmarks)
        succeeded = True
        for line, is_good in _progress(name, instance):
            succeeded &= is_good
            out.write(f"{line}\n")
            out.flush()
    return succeeded


def score_tables(root: Path) -> Iterator[str]:
    """The line's score tables as lines of text: every metric with its interval, arm by arm."""
    for name in benchmarks_of(read_stages(root)):
        path = root / "artifacts" / "scores" / f"{name}.json"
        if not path.is_file():
            continue
        for arm, score in arms_of(read_json(path)).items():
            yield f"\n{table(arm, score)}"


def _progress(name: str, instance: dg.DagsterInstance) -> Iterator[tuple[str, bool]]:
    """Run the job; yield ``(line, whether it is good news)`` for each step that ends."""
    job = dg.reconstructable(JOBS[name])
    run = instance.create_run_for_job(
        job_def=job.get_definition(), run_config=QUIET, job_code_origin=job.get_python_origin()
    )
    started: dict[str, float] = {}
    ran: set[str] = set()
    kind = dg.DagsterEventType
    for event in execute_run_iterator(job, run, instance):
        stage = (event.step_key or "").replace("__", " ")
        if event.event_type == kind.STEP_START:
            started.setdefault(stage, time.monotonic())
        elif event.event_type == kind.ASSET_MATERIALIZATION:
            said = event.step_materialization_data.materialization.metadata.get("command ran")
            if said is None or said.value:  # the gate has no DVC command, and always runs
                ran.add(stage)
        elif event.event_type == kind.STEP_SUCCESS:
            seconds = time.monotonic() - started[stage]
            yield f"  {'done   ' if stage in ran else 'current'} {stage:<36}{seconds:7.1f} s", True
        elif event.event_type == kind.STEP_FAILURE:
            yield f"  FAILED  {stage}\n{_why(event)}", False
        elif event.event_type == kind.STEP_SKIPPED:
            yield f"  skipped {stage}", False
        elif event.event_type == kind.PIPELINE_FAILURE:
            yield f"{event.message} (Dagster run {run.run_id})", False


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
def _own_stdout() -> Iterator[TextIO]:
    """Keep the terminal for our lines: what stages print goes to their logs and to the UI."""
    terminal = os.dup(1)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        with os.fdopen(terminal, "w", closefd=False) as out:
            yield out
    finally:
        os.dup2(terminal, 1)
        os.close(terminal)


def main() -> int:
    """Exit code 0 when all is up to date, 1 when a stage failed, 2 when the set-up is wrong."""
    parser = argparse.ArgumentParser(prog="python -m geomag_dagster.run")
    parser.add_argument("job", nargs="?", choices=sorted(JOBS), default="whole_line")
    chosen = parser.parse_args()
    root = project_root()
    begun = time.monotonic()
    with _own_stdout() as out:
        try:
            succeeded = run_job(chosen.job, root, out)
        except Exception as wrong:
            message = told(wrong)
            if message is None:
                raise
            sys.stderr.write(f"{message}\n")
            return 2
        if succeeded:
            out.writelines(f"{line}\n" for line in score_tables(root))
            out.write(_against_record(root))
        out.write(f"\n{chosen.job}: {time.monotonic() - begun:.0f} s. Logs: work/logs/\n")
    return 0 if succeeded else 1


if __name__ == "__main__":
    raise SystemExit(main())
