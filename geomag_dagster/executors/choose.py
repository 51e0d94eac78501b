"""``GEOMAG_EXECUTOR`` picks where steps run; the assets never change."""

import os

import dagster as dg


def slots() -> int:
    """Steps at a time on this machine: ``GEOMAG_SLOTS``, else two on two cores or more."""
    return int(os.environ.get("GEOMAG_SLOTS") or min(2, os.cpu_count() or 1))


def chosen_executor() -> dg.ExecutorDefinition:
    """The executor that ``GEOMAG_EXECUTOR`` names."""
    name = os.environ.get("GEOMAG_EXECUTOR", "local")
    if name == "in_process":
        return dg.in_process_executor
    return dg.multiprocess_executor.configured(
        {
            "max_concurrent": slots(),
            # a step is forked from a process that has the definitions loaded already
            "start_method": {"forkserver": {"preload_modules": ["geomag_dagster.executors.warm"]}},
        },
        name="local",
    )
