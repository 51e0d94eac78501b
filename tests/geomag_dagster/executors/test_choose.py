import sys

import pytest

from geomag.errors import ConfigError, ToolError
from geomag_dagster.compute import compute
from geomag_dagster.executors.choose import chosen_executor, k8s_config, slots


@pytest.mark.parametrize(
    ("name", "on_gpu", "wanted"),
    [
        ("", False, "local"),
        ("", True, "gpu"),
        ("gpu", False, "gpu"),
        ("ray", True, "ray"),
        ("in_process", True, "in_process"),
    ],
)
def test_the_environment_picks_the_executor(monkeypatch, name, on_gpu, wanted):
    monkeypatch.setenv("GEOMAG_EXECUTOR", name)
    assert chosen_executor(on_gpu=on_gpu).name == wanted


def test_another_name_is_refused_with_those_there_are(monkeypatch):
    monkeypatch.setenv("GEOMAG_EXECUTOR", "slurm")
    with pytest.raises(ConfigError, match=r"'slurm'.*'gpu', 'in_process', 'k8s', 'local', 'ray'"):
        chosen_executor(on_gpu=False)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setenv("GEOMAG_EXECUTOR", "k8s")
    monkeypatch.setitem(sys.modules, "dagster_k8s", None)
    with pytest.raises(ToolError, match=r"pip install 'geomag\[k8s\]'"):
        chosen_executor(on_gpu=False)


def test_one_request_speaks_three_dialects():
    tags = compute(gpus=1, cpus=8, memory="64Gi")
    assert tags["geomag/gpus"] == "1"
    assert tags["dagster-ray/config"] == {"num_gpus": 1, "num_cpus": 8, "memory": 64 * 2**30}
    assert tags["dagster-k8s/config"]["container_config"]["resources"]["limits"] == {
        "cpu": "8",
        "memory": "64Gi",
        "nvidia.com/gpu": "1",
    }
    without = compute(cpus=1)["dagster-k8s/config"]["container_config"]["resources"]
    assert "nvidia.com/gpu" not in without["limits"]


def test_kubernetes_never_restarts_a_step_by_itself(monkeypatch):
    monkeypatch.setenv("GEOMAG_SLOTS", "5")
    monkeypatch.delenv("GEOMAG_K8S_CLAIM", raising=False)
    config = k8s_config()
    assert config["step_k8s_config"] == {"job_spec_config": {"backoff_limit": 0}}
    assert config["max_concurrent"] == slots() == 5
