"""What a step asks of a machine, in the words of all three executors at once."""

import os
from typing import Any

import dagster as dg

GPUS, CPUS = "geomag/gpus", "geomag/cpus"
"""Op tags that our own executor reads."""
_BYTES = {"Mi": 2**20, "Gi": 2**30}


def compute(*, gpus: int = 0, cpus: int = 1, memory: str = "2Gi") -> dict[str, Any]:
    """Op tags that ask for resources; each executor reads its dialect and ignores the others.

    Op tags, never job or run tags: those are lost when somebody clicks Materialize on an asset.

    Args:
        gpus: Whole GPUs.
        cpus: Cores, which are also the step's threads.
        memory: ``"512Mi"``, ``"64Gi"``.

    >>> compute(gpus=1)["dagster-ray/config"]["num_gpus"]
    1
    """
    limits = {"cpu": str(cpus), "memory": memory}
    if gpus:
        limits["nvidia.com/gpu"] = str(gpus)
    return {
        GPUS: str(gpus),
        CPUS: str(cpus),
        "dagster-ray/config": {
            "num_gpus": gpus,
            "num_cpus": cpus,
            "memory": int(memory[:-2]) * _BYTES[memory[-2:]],
        },
        "dagster-k8s/config": {
            "container_config": {"resources": {"requests": dict(limits), "limits": limits}}
        },
    }


def step_env(context: dg.AssetExecutionContext, op_tags: dict[str, Any]) -> dict[str, str]:
    """What the stage's MLflow run is tagged with, its threads, and no GPU if it asked for none."""
    threads = str(min(int(op_tags[CPUS]), os.cpu_count() or 1))
    found = {
        "GEOMAG_RUN_ID": context.run.run_id,
        "GEOMAG_STEP_KEY": context.op_execution_context.op_handle.name,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
    }
    return found if op_tags[GPUS] != "0" else {**found, "CUDA_VISIBLE_DEVICES": ""}
