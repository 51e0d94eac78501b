"""A small DVC line as assets, run by whichever executor the environment names; run as a module."""

import json
import os
import sys
from pathlib import Path

import dagster as dg

from geomag.versions import locked_paths
from geomag_dagster.assets import dataset_specs, stage_assets
from geomag_dagster.dvc import DvcResource
from geomag_dagster.executors.choose import chosen_executor
from geomag_dagster.project import known_version
from geomag_dagster.stages import read_stages


def job() -> dg.JobDefinition:
    """All assets of the project in the working directory, on a GPU where the stage uses one."""
    root = Path.cwd()
    stages = read_stages(root)
    definitions = dg.Definitions(
        assets=[*dataset_specs(["aid"]), *stage_assets(stages, root, on_gpu=True)],
        jobs=[dg.define_asset_job("line", dg.AssetSelection.all())],
        resources={"dvc": DvcResource(root=str(root))},
        executor=chosen_executor(on_gpu=True),
    )
    return definitions.resolve_job_def("line")


def run() -> dict:
    """Run the job; versions by asset as Dagster knows them, and by path as DVC does."""
    with dg.DagsterInstance.get() as instance:
        done = dg.execute_job(dg.reconstructable(job), instance)
        keys = instance.all_asset_keys()
        known = {key.to_user_string(): known_version(instance, key) for key in keys}
    locked = {p: md5 for p, md5 in locked_paths(Path.cwd()).items() if p.startswith("artifacts/")}
    return {"success": done.success, "assets": known, "paths": locked}


def main() -> None:
    """Print what `run` gives, on a Ray cluster of our own if Ray is named."""
    if os.environ["GEOMAG_EXECUTOR"] != "ray":
        sys.stdout.write(json.dumps(run()))
        return
    import ray

    context = ray.init(
        address="local",
        include_dashboard=True,
        # as much as a training asks for: these are entries in a ledger, nothing is reserved
        num_cpus=16,
        num_gpus=2,
        _memory=128 * 2**30,
        object_store_memory=100 * 2**20,
    )
    os.environ["GEOMAG_RAY_ADDRESS"] = f"http://{context.dashboard_url}"
    try:
        sys.stdout.write("\n" + json.dumps(run()))
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
