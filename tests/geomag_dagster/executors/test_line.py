"""The same assets by every executor: the same data versions, in Dagster and in DVC.

Both tests that start a local Ray cluster stand here: its ports are fixed, and a file's tests run
one after the other (`make test`).
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from geomag_dagster.dvc import stage_env
from tests.geomag_dagster.executors.cluster import cluster
from tests.geomag_dagster.toy import make_project

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.integration


def run(folder, executor, instance=None, **variables):
    """Make the project in ``folder`` and run all of it; returns what `line.run` does."""
    project = make_project(folder / "project")
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(yaml.safe_dump(instance or {}))
    environment = {
        **os.environ,
        **stage_env(),
        "DAGSTER_HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "GEOMAG_EXECUTOR": executor,
        "GEOMAG_GPUS": "only",
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.geomag_dagster.executors.line"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["success"], done.stderr[-3000:]
    return found


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    found = run(tmp_path_factory.mktemp("in_process"), "in_process")
    assert set(found["assets"]) == {"records/aid", "model/adapter", "model/decoder", "scores/aid"}
    assert set(found["assets"].values()) == set(found["paths"].values())
    return found


def test_ray_gives_the_same_versions(wanted, tmp_path):
    assert run(tmp_path, "ray") == wanted


def test_the_same_tags_run_on_a_real_ray_cluster(tmp_path):
    # Ray's jobs call the bare word `dagster`: stage_env puts the venv's bin folder on PATH
    environment = {
        **os.environ,
        **stage_env(),
        "STEPS_FOLDER": str(tmp_path),
        "DAGSTER_HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "tests.geomag_dagster.executors.on_ray"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, second, devices = (tmp_path / "told").read_text().split()
    assert first != second
    assert devices == "0"


def test_kubernetes_takes_every_job_and_gives_the_same_versions(wanted, tmp_path):
    variables = {
        "GEOMAG_K8S_KUBECONFIG": str(tmp_path / "kubeconfig"),
        "GEOMAG_K8S_IMAGE": "registry.local/geomag:1",
        "GEOMAG_K8S_CLAIM": "geomag-project",
    }
    # the launcher that the executor takes its settings from; docs/setup.md shows the same lines
    settings = {
        "dagster_home": str(tmp_path / "home"),
        "instance_config_map": "dagster-instance",
        "service_account_name": "dagster",
        "job_image": variables["GEOMAG_K8S_IMAGE"],
        "load_incluster_config": False,
        "kubeconfig_file": variables["GEOMAG_K8S_KUBECONFIG"],
    }
    launcher = {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": settings}
    with cluster(tmp_path) as node:
        assert run(tmp_path, "k8s", {"run_launcher": launcher}, **variables) == wanted
    assert node.refused == []
    jobs = {job["metadata"]["labels"]["dagster/op"]: job for job in node.jobs.values()}
    assert set(jobs) == {"validate__aid", "train", "score__aid"}
    asked = {name: container(job)["resources"]["limits"] for name, job in jobs.items()}
    assert asked["train"]["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in asked["validate__aid"]
    for job in jobs.values():
        assert job["spec"]["backoffLimit"] == 0
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
        assert container(job)["workingDir"] == str(tmp_path / "project")
        claims = [
            v.get("persistentVolumeClaim") for v in job["spec"]["template"]["spec"]["volumes"]
        ]
        assert {"claimName": "geomag-project"} in claims


def container(job):
    return job["spec"]["template"]["spec"]["containers"][0]


def test_the_schema_refuses_what_kubernetes_would(tmp_path):
    # else a validator that lets everything pass would go unnoticed
    import urllib.error
    import urllib.request

    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}}
    job["spec"] = {"template": {"spec": {"containers": [{"name": "a", "imagePolicy": "x"}]}}}
    with cluster(tmp_path) as node:
        host, port = node.server_address
        url = f"http://{host}:{port}/apis/batch/v1/namespaces/geomag/jobs"
        with pytest.raises(urllib.error.HTTPError, match="422"):
            urllib.request.urlopen(url, json.dumps(job).encode())
    assert "imagePolicy" in node.refused[0]
