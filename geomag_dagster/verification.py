"""The record looked at every night: a job that does what ``geomag verify`` does, its schedule.

Off until somebody switches `nightly_verification` on.
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from geomag.errors import GeoMagError
from geomag.versions import locked_paths
from geomag_dagster.naming import asset_key
from geomag_dagster.project import known_version

VERIFY = "verify_record"
OP = "verify_links"  # ops and jobs of a code location share one space of names


def verify_job(root: Path) -> dg.JobDefinition:
    """A job that fails with the first broken link; what Dagster itself knows is compared too."""

    @dg.op(name=OP)
    def verify_links(context: dg.OpExecutionContext) -> None:
        """Compare data, code, weights, answers, scores, runs and champion with the record."""
        from geomag.evaluate.verify.walk import verify  # MLflow is imported when it runs

        try:
            found = verify(root)
        except GeoMagError as wrong:
            raise dg.Failure(str(wrong), allow_retries=False) from wrong
        states = [link.state for row in found.rows for link in row.links]
        counts = {state: states.count(state) for state in ("ok", "absent", "broken")}
        context.add_output_metadata({**counts, "record": dg.MetadataValue.json(found.to_json())})
        if found.first_broken is not None:
            row, link = found.first_broken
            said = f"{link.kind} of {row.benchmark} {row.arm}: {link.finding}"
            raise dg.Failure(said, metadata=counts, allow_retries=False)
        for said in outdated(context.instance, root):
            context.log.warning(said)

    @dg.job(
        name=VERIFY,
        executor_def=dg.in_process_executor,
        description="Every link of the record against what there is now, for every table cell.",
    )
    def verify_record() -> None:
        verify_links()

    return verify_record


def nightly_verification() -> dg.ScheduleDefinition:
    """The job, each night."""
    return dg.ScheduleDefinition(
        name="nightly_verification",
        job_name=VERIFY,
        cron_schedule="0 5 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )


def outdated(instance: dg.DagsterInstance, root: Path) -> Iterator[str]:
    """Assets whose version in Dagster is not that of ``dvc.lock``, as after a run in a shell."""
    for path, md5 in locked_paths(root).items():
        key = asset_key(path)
        known = known_version(instance, key) if key else ""
        if key and known and known != md5:
            name = key.to_user_string()
            yield f"{name}: Dagster knows {known}, dvc.lock {md5}: the sensor dvc_lock tells it"
