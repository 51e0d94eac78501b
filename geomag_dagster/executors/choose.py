"""``GEOMAG_EXECUTOR`` picks where steps run; the assets never change."""

import importlib
import os
from collections.abc import Callable

import dagster as dg

from geomag.errors import ConfigError, ToolError
from geomag_dagster.executors.gpu import gpu_executor

DASHBOARD = "http://127.0.0.1:8265"
"""Where Ray's dashboard, which takes jobs, listens by default."""


def slots() -> int:
    """Steps at a time on this machine: ``GEOMAG_SLOTS``, else two on two cores or more."""
    return int(os.environ.get("GEOMAG_SLOTS") or min(2, os.cpu_count() or 1))


def chosen_executor(*, on_gpu: bool) -> dg.ExecutorDefinition:
    """The executor that ``GEOMAG_EXECUTOR`` names.

    Without it ``gpu`` where the profile has a GPU, else ``local``, which starts steps faster.

    Raises:
        ConfigError: On another name.
    """
    name = os.environ.get("GEOMAG_EXECUTOR") or ("gpu" if on_gpu else "local")
    if name not in _EXECUTORS:
        raise ConfigError("GEOMAG_EXECUTOR", repr(name), f"one of {sorted(_EXECUTORS)}")
    return _EXECUTORS[name]()


def _local() -> dg.ExecutorDefinition:
    # a step is forked from a process that has the definitions loaded already
    method = {"forkserver": {"preload_modules": ["geomag_dagster.executors.warm"]}}
    config = {"max_concurrent": slots(), "start_method": method}
    return dg.multiprocess_executor.configured(config, name="local")


def _gpu() -> dg.ExecutorDefinition:
    return gpu_executor.configured({"max_concurrent": slots()}, name="gpu")


def _ray() -> dg.ExecutorDefinition:
    # the head's PATH must have the venv's bin folder: the entry point is the bare word `dagster`
    forwarded = ["DAGSTER_HOME", "GEOMAG_PROFILE", "MLFLOW_TRACKING_URI"]
    address = os.environ.get("GEOMAG_RAY_ADDRESS", DASHBOARD)
    config = {"ray": {"address": address, "env_vars": [v for v in forwarded if v in os.environ]}}
    executor = _extra("dagster_ray", "ray_executor", extra="ray")
    return executor.configured(config, name="ray")


def _k8s() -> dg.ExecutorDefinition:
    executor = _extra("dagster_k8s", "k8s_job_executor", extra="k8s")
    return executor.configured(k8s_config(), name="k8s")


def k8s_config() -> dict[str, object]:
    """Run-wide settings of the Kubernetes executor; resources stand on each asset."""
    return {
        "job_namespace": os.environ.get("GEOMAG_K8S_NAMESPACE", "geomag"),
        "max_concurrent": slots(),
        # a pod that Kubernetes restarts by itself ends without an event (dagster-io/dagster#33755)
        "step_k8s_config": {"job_spec_config": {"backoff_limit": 0}},
    }


def _extra(module: str, name: str, *, extra: str) -> dg.ExecutorDefinition:
    try:
        executor = getattr(importlib.import_module(module), name)
    except ImportError as missing:
        raise ToolError(
            f"GEOMAG_EXECUTOR={extra}",
            f"package {module.replace('_', '-')} cannot be imported ({missing})",
            remedy=f"pip install 'geomag[{extra}]'",
        ) from missing
    assert isinstance(executor, dg.ExecutorDefinition)
    return executor


_EXECUTORS: dict[str, Callable[[], dg.ExecutorDefinition]] = {
    "local": _local,
    "gpu": _gpu,
    "ray": _ray,
    "k8s": _k8s,
    "in_process": lambda: dg.in_process_executor,
}
