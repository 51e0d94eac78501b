"""``GEOMAG_EXECUTOR`` picks where steps run; the assets never change."""

import importlib
import os
from collections.abc import Callable
from typing import Any

import dagster as dg

from geomag.config import project_root
from geomag.errors import ConfigError, ToolError
from geomag_dagster.executors.gpu import gpu_executor

FORWARDED = ("DAGSTER_HOME", "GEOMAG_PROFILE", "GEOMAG_SHARDS", "MLFLOW_TRACKING_URI")
"""Variables that a step on another machine needs."""
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
    method = {"forkserver": {"preload_modules": ["geomag_dagster.preload"]}}
    config = {"max_concurrent": slots(), "start_method": method}
    return dg.multiprocess_executor.configured(config, name="local")


def _gpu() -> dg.ExecutorDefinition:
    return gpu_executor.configured({"max_concurrent": slots()}, name="gpu")


def _ray() -> dg.ExecutorDefinition:
    # the head's PATH must have the venv's bin folder: the entry point is the bare word `dagster`
    address = os.environ.get("GEOMAG_RAY_ADDRESS", DASHBOARD)
    config = {"ray": {"address": address, "env_vars": [v for v in FORWARDED if v in os.environ]}}
    executor = _extra("dagster_ray", "ray_executor", extra="ray")
    return executor.configured(config, name="ray")


def _k8s() -> dg.ExecutorDefinition:
    executor = _extra("dagster_k8s", "k8s_job_executor", extra="k8s")
    return executor.configured(k8s_config(), name="k8s")


def k8s_config() -> dict[str, object]:
    """Run-wide settings of the Kubernetes executor; resources stand on each asset.

    ``GEOMAG_K8S_IMAGE`` holds the set-up; ``GEOMAG_K8S_CLAIM`` is a volume claim on which the
    project lies, mounted at its own path, so that all steps share workspace, cache and Dagster's
    home; ``GEOMAG_K8S_KUBECONFIG`` is for a run that is not itself a pod.
    """
    # a pod that Kubernetes restarts by itself ends without an event (dagster-io/dagster#33755)
    step: dict[str, Any] = {"job_spec_config": {"backoff_limit": 0}}
    if claim := os.environ.get("GEOMAG_K8S_CLAIM"):
        root = str(project_root())
        volume = {"name": "project", "persistent_volume_claim": {"claim_name": claim}}
        step["pod_spec_config"] = {"volumes": [volume]}
        step["container_config"] = {
            "working_dir": root,
            "volume_mounts": [{"name": "project", "mount_path": root}],
        }
    config: dict[str, object] = {
        "job_namespace": os.environ.get("GEOMAG_K8S_NAMESPACE", "geomag"),
        "max_concurrent": slots(),
        "env_vars": [name for name in FORWARDED if name in os.environ],
        "step_k8s_config": step,
    }
    if image := os.environ.get("GEOMAG_K8S_IMAGE"):
        config["job_image"] = image
    if kubeconfig := os.environ.get("GEOMAG_K8S_KUBECONFIG"):
        config |= {"load_incluster_config": False, "kubeconfig_file": kubeconfig}
    return config


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
