"""The same assets by every executor: the same data versions, in Dagster and in DVC.

All tests that start a local Ray cluster stand here: its ports are fixed, and a file's tests run
one after the other (`make test`).
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from geomag.config import load_profile
from geomag.evaluate.predict import Source, predict_benchmark
from geomag_dagster.dvc import stage_env
from tests.evaluate.sixty import write_sixty
from tests.geomag_dagster.executors.cluster import cluster
from tests.geomag_dagster.toy import make_project

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.integration


def run(folder, executor, instance=None, *, make=make_project, **variables):
    """Make the project in ``folder`` and run all of it; returns what `line.run` does."""
    project = make(folder / "project")
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
        timeout=600,
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


def make_predictions(root):
    """A project whose one stage answers sixty records."""
    records = root / "artifacts" / "records" / "rrsis_d" / "records.jsonl"
    make_project(root)
    write_sixty(root, pictures=root / "data" / "rrsis_d", records=records)
    (root / "params.yaml").write_text("profile: tiny.yaml\n")
    stage = {
        "cmd": "python -m geomag predict ${item.benchmark} --arm ${item.arm}",
        "deps": ["artifacts/records/rrsis_d"],
        "outs": ["artifacts/predictions/${item.benchmark}/${item.arm}.jsonl"],
    }
    item = {"rrsis_d-plain": {"benchmark": "rrsis_d", "arm": "plain"}}
    tree = {"stages": {"predict": {"foreach": item, "do": stage}}}
    (root / "dvc.yaml").write_text(yaml.safe_dump(tree))
    return root


def test_two_shards_on_ray_are_the_bytes_of_one_pass(tmp_path):
    found = run(tmp_path, "ray", make=make_predictions, GEOMAG_SHARDS="rrsis_d=2")
    shards = {f"shards/rrsis_d/plain/{number}_of_2" for number in (1, 2)}
    assert set(found["assets"]) == {"predictions/rrsis_d/plain", *shards}
    root = tmp_path / "project"
    logs = {path.name: path.read_text() for path in (root / "work" / "logs").iterdir()}
    for number, rows in ((1, 32), (2, 28)):
        assert f"tiny: {rows} predictions in" in logs[f"predict@rrsis_d-plain.{number}-of-2.log"]
        assert f"plain.{number}-of-2.shard: " in logs["predict@rrsis_d-plain.log"]
    assert list((root / "work" / "predict" / "rrsis_d").iterdir()) == []
    stored = root / "artifacts" / "records" / "rrsis_d" / "records.jsonl"
    source = Source("rrsis_d", root / "data" / "rrsis_d", stored, tmp_path / "heat")
    predict_benchmark(
        source,
        "plain",
        load_profile(str(root / "tiny.yaml")),
        artifacts=root / "artifacts",
        out=tmp_path / "one_pass.jsonl",
        log=lambda _: None,
    )
    joined = root / "artifacts" / "predictions" / "rrsis_d" / "plain.jsonl"
    assert joined.read_bytes() == (tmp_path / "one_pass.jsonl").read_bytes()


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
