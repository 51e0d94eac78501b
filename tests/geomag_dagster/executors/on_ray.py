"""A two-step job on a Ray cluster that this process starts and stops; run as a module."""

import os
import sys
from pathlib import Path

import dagster as dg

from geomag_dagster.compute import compute
from geomag_dagster.executors.choose import chosen_executor


@dg.op(tags=compute(cpus=1, memory="128Mi"))
def first() -> int:
    return os.getpid()


@dg.op(tags=compute(gpus=1, cpus=1, memory="128Mi"))
def second(pid: int) -> None:
    told = f"{pid} {os.getpid()} {os.environ['CUDA_VISIBLE_DEVICES']}"
    (Path(os.environ["STEPS_FOLDER"]) / "told").write_text(told)


def on_ray() -> dg.JobDefinition:
    @dg.job(executor_def=chosen_executor(on_gpu=False))
    def on_ray_job() -> None:
        second(first())

    return on_ray_job


if __name__ == "__main__":
    import ray

    context = ray.init(
        address="local",
        include_dashboard=True,
        num_cpus=2,
        num_gpus=1,
        object_store_memory=100 * 2**20,
    )
    os.environ["GEOMAG_EXECUTOR"] = "ray"
    os.environ["GEOMAG_RAY_ADDRESS"] = f"http://{context.dashboard_url}"
    try:
        with dg.DagsterInstance.get() as instance:
            done = dg.execute_job(dg.reconstructable(on_ray), instance)
    finally:
        ray.shutdown()
    sys.exit(0 if done.success else 1)
