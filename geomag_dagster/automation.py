"""Conditions, schedules and sensors: what runs by itself, once somebody switches it on in the UI.

Two ways to retrain on new data, of which you switch on one: `new_data` asks for one run of the job
``retrain``; `declarative`, together with `dvc_lock`, runs each asset once its inputs have changed.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from geomag.errors import AnnotationError, ConfigError
from geomag.versions import dataset_versions, locked_paths, read_lock, tracked_tree, tree_md5
from geomag_dagster.assets import code_version
from geomag_dagster.incoming import drops_under_way, incoming_sensor
from geomag_dagster.lineage import UNKNOWN, input_tags, input_versions, tagged_versions
from geomag_dagster.naming import DATA, asset_key, benchmarks_of, upstream_paths
from geomag_dagster.project import dataset_event, known_tags, known_version
from geomag_dagster.stages import Stage

RUNNING = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def on_changed_inputs() -> dg.AutomationCondition[Any]:
    """Run once when an input has another data version and all its blocking checks have passed.

    `AutomationCondition.eager` would also fire when an input is made again and comes out the same
    (dagster-io/dagster#25439).
    """
    condition = dg.AutomationCondition
    return (
        condition.any_deps_match(condition.data_version_changed()).since_last_handled()
        & condition.all_deps_blocking_checks_passed()
        & ~condition.any_deps_missing()
        & ~condition.any_deps_in_progress()
        & ~condition.in_progress()
    )


def automation(root: Path, stages: Mapping[str, Stage]) -> list[dg.SensorDefinition]:
    """The sensors of the project at ``root``."""
    return [
        incoming_sensor(root),
        new_data_sensor(root, stages),
        dvc_lock_sensor(root, stages),
        close_tracking_sensor(root),
        dg.AutomationConditionSensorDefinition(
            "declarative",
            target=dg.AssetSelection.all(),
            default_status=dg.DefaultSensorStatus.STOPPED,
            minimum_interval_seconds=60,
        ),
    ]


def weekly_schedule() -> dg.ScheduleDefinition:
    """Schedule that runs all that is out of date, in the night to Monday."""
    return dg.ScheduleDefinition(
        name="weekly",
        job_name="whole_line",
        cron_schedule="0 3 * * 1",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )


def new_data_sensor(
    root: Path, stages: Mapping[str, Stage], *, interval_s: int = 60
) -> dg.SensorDefinition:
    """One run of ``retrain`` for each change of ``data.dvc``, also back to what it was.

    The cursor holds the version and how many changes there were, which is part of the run's key:
    killed before it is kept, the sensor asks for the same key again. ``data.dvc`` is written after
    the last file it names, so a drop that is half copied is not seen.
    """

    @dg.sensor(
        name="new_data",
        job_name="retrain",
        default_status=dg.DefaultSensorStatus.STOPPED,
        minimum_interval_seconds=interval_s,
        description="data.dvc changed: report the benchmarks' versions and retrain.",
    )
    def new_data(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            tree = tracked_tree(root)
        except (AnnotationError, ConfigError) as wrong:
            return dg.SkipReason(f"data.dvc is being written, or broken: {wrong}")
        if tree is None:
            return dg.SkipReason(
                "data.dvc's listing is not in the cache: dvc fetch, or dvc add data"
            )
        md5 = tree_md5(tree)
        known, _, changes = (context.cursor or "").partition(" ")
        if md5 == known:
            return dg.SkipReason(f"data.dvc is still {md5}")
        if drops_under_way(context.instance):
            return dg.SkipReason("a drop is being taken in: one run for all that come together")
        code = hashlib.sha256("".join(code_version(s, root) for s in stages.values()).encode())
        key, cursor = f"{md5}-{code.hexdigest()[:12]}", md5
        if known:  # the data may come back to what it was, and Dagster launches a key once
            number = int(changes or 0) + 1 if (changes or "0").isdecimal() else 1
            key, cursor = f"{key}-{number}", f"{md5} {number}"
        return dg.SensorResult(
            cursor=cursor,
            asset_events=list(_changed_datasets(context.instance, root, benchmarks_of(stages))),
            run_requests=[dg.RunRequest(run_key=key, tags={"dvc.data": md5})],
        )

    return new_data


def dvc_lock_sensor(root: Path, stages: Mapping[str, Stage]) -> dg.SensorDefinition:
    """Show in the UI what a ``dvc repro`` or ``dvc add`` in a shell has changed."""

    @dg.sensor(
        name="dvc_lock",
        default_status=dg.DefaultSensorStatus.STOPPED,
        minimum_interval_seconds=60,
        description="dvc.lock or data.dvc changed outside of Dagster: report the new versions.",
    )
    def dvc_lock(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if context.instance.get_runs_count(dg.RunsFilter(statuses=RUNNING)):
            return dg.SkipReason("a run reports its own versions")
        state = _digest(root / "dvc.lock") + _digest(root / "data.dvc")
        if state == context.cursor:
            return dg.SkipReason("nothing has changed")
        try:
            events = [
                *_changed_datasets(context.instance, root, benchmarks_of(stages)),
                *_changed_outputs(context.instance, root, stages),
            ]
        except (AnnotationError, ConfigError) as wrong:
            return dg.SkipReason(f"dvc.lock or data.dvc is being written, or broken: {wrong}")
        return dg.SensorResult(cursor=state, asset_events=events)

    return dvc_lock


def close_tracking_sensor(root: Path) -> dg.SensorDefinition:
    """End the MLflow runs of a Dagster run that died without doing so."""

    @dg.run_failure_sensor(
        name="close_tracking",
        default_status=dg.DefaultSensorStatus.STOPPED,
        monitor_all_code_locations=False,
    )
    def close_tracking(context: dg.RunFailureSensorContext) -> None:
        from geomag import tracking  # MLflow is imported once a run has failed, not before

        closed = tracking.close_runs(context.dagster_run.run_id, root=root)
        context.log.info(f"closed {closed} MLflow run(s) of {context.dagster_run.run_id}")

    return close_tracking


def _changed_datasets(
    instance: dg.DagsterInstance, root: Path, benchmarks: Iterable[str]
) -> Iterator[dg.AssetMaterialization]:
    for name, md5 in dataset_versions(root, benchmarks).items():
        if known_version(instance, dg.AssetKey([DATA, name])) != md5:
            yield dataset_event(name, md5)


def _changed_outputs(
    instance: dg.DagsterInstance, root: Path, stages: Mapping[str, Stage]
) -> Iterator[dg.AssetMaterialization]:
    locked = locked_paths(root)
    for name, entry in read_lock(root).items():
        if name not in stages:
            continue
        inputs = input_versions(root, upstream_paths(stages[name], stages), entry, locked)
        for out in entry.get("outs", []):
            key = asset_key(out["path"])
            if key and not _is_known(instance, key, out["md5"], inputs):
                yield dg.AssetMaterialization(
                    asset_key=key,
                    metadata={"dvc.md5": out["md5"], "made by": f"dvc repro {name}, in a shell"},
                    tags={
                        "dagster/data_version": out["md5"],
                        "dagster/code_version": code_version(stages[name], root),
                        **input_tags(inputs),
                    },
                )


def _is_known(
    instance: dg.DagsterInstance, key: dg.AssetKey, md5: str, inputs: Mapping[str, str]
) -> bool:
    """Whether Dagster knows an output and, as far as can be told, what it was made from."""
    tags = known_tags(instance, key)
    if tags.get("dagster/data_version") != md5:
        return False
    return UNKNOWN in inputs.values() or tagged_versions(tags) == inputs


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else "-"
