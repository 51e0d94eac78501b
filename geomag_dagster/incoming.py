"""Drops copied by hand into ``incoming/``: a sensor that sees them settled, a job to take one in.

Off until somebody switches `incoming_drop` on. What follows is `automation`'s: a new version of
``data/`` is what `new_data` waits for.
"""

import json
from pathlib import Path

import dagster as dg

from geomag.config import load_profile
from geomag.errors import GeoMagError, ToolError

TAKE = "take_drop"
OP = "take"  # ops and jobs of a code location share one space of names
DROP = "geomag/drop"
"""Run tag: which drop, in which state."""
MOST_FAILURES = 3
"""Runs that may fail for want of a tool before a drop is left alone until somebody touches it."""
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def take_drop_job(
    root: Path, *, busy_retries: int = 10, busy_wait_s: float = 30.0
) -> dg.JobDefinition:
    """The job that does for one drop what ``geomag data add`` does.

    Args:
        root: Project root.
        busy_retries: How often it tries again while a command outside of Dagster uses ``data/``.
        busy_wait_s: Seconds between two tries.
    """

    @dg.op(name=OP, config_schema={"drop": str, "state": str})
    def take(context: dg.OpExecutionContext) -> None:
        """Validate a drop aside, put it into ``data/``, make the new DVC version."""
        from geomag.data.intake import (
            folders as intake,  # its readers are not needed to load the definitions
        )

        name, state = context.op_config["drop"], context.op_config["state"]
        try:
            done = intake.take(root, name, state, load_profile(root=root))
        except ToolError as busy:
            context.log.warning(str(busy))
            raise dg.RetryRequested(busy_retries, seconds_to_wait=busy_wait_s) from busy
        except GeoMagError as wrong:
            raise dg.Failure(f"{name} is refused. {wrong}", allow_retries=False) from wrong
        if done is None:
            context.log.info(f"{name} has changed since it was seen: left for the next look")
            return
        context.log.info(f"{name}: {len(done.new_files)} new files" if done.counts else "no news")
        context.add_output_metadata(
            {
                "new files": len(done.new_files),
                "records": dict(done.counts),
                "kept in": dg.MetadataValue.path(str(done.folder)),
            }
        )

    @dg.job(
        name=TAKE,
        executor_def=dg.in_process_executor,
        description="One drop of incoming/: validated aside, then the next version of data/.",
    )
    def take_drop() -> None:
        take()

    return take_drop


def incoming_sensor(root: Path, *, interval_s: int = 30) -> dg.SensorDefinition:
    """One run of `take_drop` for each drop that has not changed between two looks.

    The cursor holds what the last look saw. A refused drop has its note, and is not asked for
    again until it changes.
    """

    @dg.sensor(
        name="incoming_drop",
        job_name=TAKE,
        default_status=dg.DefaultSensorStatus.STOPPED,
        minimum_interval_seconds=interval_s,
        description="A folder was copied into incoming/BENCHMARK/: take it into data/.",
    )
    def incoming_drop(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        from geomag.data.intake import folders as intake

        drops, seen = intake.find(root), json.loads(context.cursor or "{}")
        requests, waiting = [], []
        runs = context.instance.get_runs(dg.RunsFilter(statuses=UNFINISHED), limit=1)
        for drop in drops:
            if drop.is_refused:
                waiting.append(f"{drop.name}: refused, {drop.note.name} says why")
            elif drop.unfinished:
                waiting.append(f"{drop.name}: {drop.unfinished} is being copied")
            elif seen.get(drop.name) != drop.state:
                waiting.append(f"{drop.name}: taken in once it stays the same until the next look")
            elif runs:
                waiting.append(f"{drop.name}: waits for the end of run {runs[0].run_id}")
            elif request := _request(context.instance, drop.name, drop.state):
                requests.append(request)
            else:
                waiting.append(f"{drop.name}: {MOST_FAILURES} runs failed; touch it to try again")
        return dg.SensorResult(
            cursor=json.dumps({drop.name: drop.state for drop in drops}),
            run_requests=requests,
            skip_reason=None if requests else "; ".join(waiting) or "nothing in incoming/",
        )

    return incoming_drop


def drops_under_way(instance: dg.DagsterInstance) -> bool:
    """Whether a run of `take_drop` is asked for or going on."""
    return instance.get_runs_count(dg.RunsFilter(job_name=TAKE, statuses=UNFINISHED)) > 0


def _request(instance: dg.DagsterInstance, name: str, state: str) -> dg.RunRequest | None:
    """The run that takes a drop in; None after too many that failed, not by the drop's fault."""
    tags = {DROP: f"{name}@{state}"}
    runs = instance.get_runs(dg.RunsFilter(job_name=TAKE, tags=tags))
    if sum(not run.is_success for run in runs) >= MOST_FAILURES:
        return None
    return dg.RunRequest(
        run_key=f"{name}@{state}-{len(runs)}",  # killed before its cursor is kept: the same key
        run_config={"ops": {OP: {"config": {"drop": name, "state": state}}}},
        tags=tags,
    )
