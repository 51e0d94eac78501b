"""Jobs whose steps tell on disk what they saw; a process that runs one step imports them again."""

import os
import sys
import time
from pathlib import Path

import dagster as dg

from geomag_dagster.compute import compute
from geomag_dagster.dvc import DvcResource
from geomag_dagster.executors.gpu import gpu_executor
from geomag_dagster.stages import read_stages
from geomag_dagster.supervise import supervise

FOLDER = "STEPS_FOLDER"
"""Environment variable: where the steps of one test meet."""
DEADLINE_S = 90

WORK = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
if (folder / "state").exists():
    (folder / "resumed").write_text("")
    sys.exit(0)
(folder / "working").write_text("")
try:
    time.sleep(600)
except KeyboardInterrupt:
    (folder / "state").write_text("saved")
    sys.exit(1)
"""
"""A training: saves its state when interrupted, ends at once when there is one."""


def folder() -> Path:
    return Path(os.environ[FOLDER])


def await_file(name: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while not (folder() / name).exists():
        if time.monotonic() > end:
            raise TimeoutError(name)
        time.sleep(0.02)


def tell(name: str) -> None:
    text = f"{os.environ['CUDA_VISIBLE_DEVICES']} {os.environ['OMP_NUM_THREADS']}"
    (folder() / name).write_text(text)


def executor() -> dg.ExecutorDefinition:
    return gpu_executor.configured(
        {"max_concurrent": 2, "grace_s": 30.0, "health_interval_s": 1}, name="gpu"
    )


def exclusive() -> dg.JobDefinition:
    """Two steps that fail if the other is inside at the same time."""

    def inside(name: str) -> dg.OpDefinition:
        @dg.op(name=name, tags=compute(gpus=1))
        def step() -> None:
            tell(name)
            with (folder() / "inside").open("x"):
                time.sleep(0.3)
            (folder() / "inside").unlink()

        return step

    first, second = inside("first"), inside("second")

    @dg.job(executor_def=executor())
    def exclusive_job() -> None:
        first()
        second()

    return exclusive_job


def together() -> dg.JobDefinition:
    """Two GPU steps that each wait for the other to have started, then one without a GPU."""

    def meeting(name: str, other: str) -> dg.OpDefinition:
        @dg.op(name=name, tags=compute(gpus=1))
        def step() -> str:
            tell(name)
            await_file(other)
            return name

        return step

    @dg.op(tags=compute(cpus=1))
    def on_cpu(left: str, right: str) -> None:
        tell("on_cpu")

    left, right = meeting("left", "right"), meeting("right", "left")

    @dg.job(executor_def=executor())
    def together_job() -> None:
        on_cpu(left(), right())

    return together_job


def both_or_none() -> dg.JobDefinition:
    """One step holds a GPU until the other, which wants both, is seen waiting."""

    @dg.op(tags=compute(gpus=1))
    def one() -> None:
        tell("one")
        await_file("other is waiting")

    @dg.op(tags=compute(gpus=2))
    def two() -> None:
        tell("two")

    @dg.job(executor_def=executor())
    def both_or_none_job() -> None:
        one()
        two()

    return both_or_none_job


def killed_once() -> dg.JobDefinition:
    """A step whose first process waits to be killed; its retry ends well."""

    @dg.op(tags=compute(gpus=1), retry_policy=dg.RetryPolicy(max_retries=1))
    def victim() -> None:
        if (folder() / "pid").exists():
            tell("second attempt")
            return
        (folder() / "pid").write_text(str(os.getpid()))
        await_file("never")

    @dg.job(executor_def=executor())
    def killed_once_job() -> None:
        victim()

    return killed_once_job


def training() -> dg.JobDefinition:
    """A supervised training on one GPU, as an asset runs it."""

    @dg.op(tags=compute(gpus=1))
    def train() -> None:
        code = supervise(
            [sys.executable, "-c", WORK, str(folder())],
            log=folder() / "log",
            grace_s=20,
            parent=os.getppid(),
        )
        if code:
            raise dg.Failure(f"exit code {code}")

    @dg.job(executor_def=executor())
    def training_job() -> None:
        train()

    return training_job


def _stage(max_retries: int) -> dg.JobDefinition:

    @dg.op(tags=compute(gpus=1), retry_policy=dg.RetryPolicy(max_retries=max_retries))
    def train() -> None:
        runner = DvcResource(root=str(folder()), grace_s=20, busy_wait_s=0.5)
        runner.run(read_stages(folder())["train"])

    @dg.job(executor_def=executor())
    def stage_job() -> None:
        train()

    return stage_job


def stage() -> dg.JobDefinition:
    """The stage ``train`` of the DVC project in our folder, tried again until it ends well."""
    return _stage(max_retries=30)


def stage_twice() -> dg.JobDefinition:
    """The same, given up after its second attempt."""
    return _stage(max_retries=1)


if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        done = dg.execute_job(dg.reconstructable(globals()[sys.argv[1]]), instance)
        sys.exit(0 if done.success else 1)
