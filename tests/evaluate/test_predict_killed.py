"""`kill -9` of `geomag predict`, as a user meets it: nothing stands in the way afterwards."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geomag.data.benchmarks import Split, Task
from geomag.data.records import Record, write_records
from geomag.geometry import encode_mask
from tests.ask.models import write_project

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    write_project(root)
    mask = np.zeros((60, 60), dtype=bool)
    mask[10:30, 20:50] = True
    Image.fromarray(np.full((60, 60, 3), 90, dtype=np.uint8)).save(root / "a.png")
    common = {"benchmark": "rrsis_d", "split": Split.TEST, "task": Task.REFERRING, "image": "a.png"}
    rows = [
        Record(**common, id=str(i), width=60, height=60, text="a ship", masks=(encode_mask(mask),))
        for i in range(60)
    ]
    write_records(root / "records.jsonl", rows)
    return root


def geomag(root: Path, *arguments: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GEOMAG_PROFILE": str(root / "tiny.yaml")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(
        [sys.executable, "-m", "geomag", *arguments], cwd=root, env=environment, **pipes
    )


def predict(root: Path) -> subprocess.Popen:
    options = ["--arm", "plain", "--data", ".", "--records", "records.jsonl"]
    return geomag(root, "predict", "rrsis_d", *options, "--out", "arms/magcrop.jsonl")


def test_f28_a_killed_prediction_leaves_no_arm_and_the_next_one_sweeps_it(project):
    arms = project / "arms"
    killed = predict(project)
    while killed.poll() is None and not list(arms.glob(".*")):
        time.sleep(0.001)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL, killed.stdout.read()
    assert [path.name for path in arms.iterdir()] == [".magcrop.jsonl.partial"]

    rest = [f'{{"id": "{i}", "masks": []}}\n' for i in range(60)]
    (arms / "plain.jsonl").write_text("".join(rest))
    score = ["score", "rrsis_d", "arms", "--records", "records.jsonl"]
    early = geomag(project, *score)
    said = early.communicate()[0]
    assert early.returncode == 2
    assert "files ['plain']. Wanted: magcrop.jsonl among them" in said

    again = predict(project)
    said = again.communicate()[0]
    assert again.returncode == 0, said
    assert sorted(path.name for path in arms.iterdir()) == ["magcrop.jsonl", "plain.jsonl"]
    done = geomag(project, *score)
    said = done.communicate()[0]
    assert done.returncode == 0, said
    heads = [line for line in said.splitlines() if line.startswith("rrsis_d ")]
    assert [line.split(":")[0] for line in heads] == [
        "rrsis_d test, magcrop",
        "rrsis_d test, plain",
    ]
