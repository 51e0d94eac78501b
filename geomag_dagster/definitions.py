"""The code location ``geomag``: assets, jobs and the runner, from ``dvc.yaml`` and ``params.yaml``.

Loads without torch, mlflow, DVC, Great Expectations or Ray.
"""

import functools

import dagster as dg

from geomag.config import load_profile, project_root
from geomag_dagster.assets import dataset_specs, stage_assets
from geomag_dagster.automation import automation, on_changed_inputs, weekly_schedule
from geomag_dagster.dvc import DvcResource
from geomag_dagster.executors.choose import chosen_executor
from geomag_dagster.incoming import take_drop_job
from geomag_dagster.jobs import jobs
from geomag_dagster.naming import benchmarks_of
from geomag_dagster.promotion import promotion_assets
from geomag_dagster.stages import read_stages
from geomag_dagster.verification import nightly_verification, verify_job


@functools.cache
def build() -> dg.Definitions:
    """Build the definitions of the project that the working directory is in."""
    root = project_root()
    on_gpu = load_profile(root=root).device == "cuda"
    stages = read_stages(root)
    return dg.Definitions(
        assets=[
            *dataset_specs(benchmarks_of(stages)),
            *stage_assets(stages, root, on_gpu=on_gpu, condition=on_changed_inputs()),
            *promotion_assets(stages, root),
        ],
        jobs=[*jobs(), take_drop_job(root), verify_job(root)],
        sensors=automation(root, stages),
        schedules=[weekly_schedule(), nightly_verification()],
        resources={"dvc": DvcResource(root=str(root))},
        executor=chosen_executor(on_gpu=on_gpu),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Definitions that ``workspace.yaml`` loads."""
    return build()


def whole_line() -> dg.JobDefinition:
    """The job of that name, as a process that runs one of its steps finds it again."""
    return build().resolve_job_def("whole_line")


def retrain() -> dg.JobDefinition:
    """Give the job to whoever rebuilds it by name, as `whole_line` does."""
    return build().resolve_job_def("retrain")


def evaluate_only() -> dg.JobDefinition:
    """Give the job to whoever rebuilds it by name, as `whole_line` does."""
    return build().resolve_job_def("evaluate_only")
