"""The same with Dagster's own daemon: nobody touches anything but ``incoming/``."""

import subprocess
import sys
from pathlib import Path

import pytest

from geomag.tracking.registry import REASON, Registry, Version
from geomag.versions import path_md5
from tests.conftest import copy_store
from tests.geomag_dagster.dev import Loop, dagster_dev
from tests.geomag_dagster.hand_drops import PROJECT, copy_by_hand, make_gated_line

pytestmark = pytest.mark.integration

MODULE = "tests.geomag_dagster.hand_drops"


@pytest.fixture
def line(tmp_path, empty_store, monkeypatch):
    root = make_gated_line(tmp_path / "project")
    command = [sys.executable, "-m", "dvc", "--quiet", "add", "data"]
    subprocess.run(command, cwd=root, check=True)
    copy_store(empty_store, root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv(PROJECT, str(root))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return root


def champion(root: Path) -> Version:
    found = Registry(root).champion()
    assert found is not None
    return found


def test_f33_f34_drops_by_hand_reach_the_gate_once_are_known_again_and_refused(line, tmp_path):
    with dagster_dev(MODULE, tmp_path) as port:
        loop = Loop(port, MODULE)
        for sensor in ("incoming_drop", "new_data"):
            loop.switch_on(sensor)
        loop.await_runs("retrain", "SUCCESS")  # the data that is there at first
        first = champion(line)
        assert (first.number, first.tags[REASON]) == ("1", "first")
        copy_by_hand(line)
        loop.await_runs("take_drop", "SUCCESS")
        loop.await_runs("retrain", "SUCCESS", "SUCCESS")
        better = champion(line)
        assert better.number == "2"
        assert better.tags[REASON].startswith("better: rrsis_d test")
        loop.await_looks("new_data", "data.dvc is still")
        data = path_md5(line / "data")
        copy_by_hand(line, "the-same-again")
        loop.await_runs("take_drop", "SUCCESS", "SUCCESS")
        loop.await_looks("new_data", "data.dvc is still")
        copy_by_hand(line, "corrupt", bad=True)
        loop.await_runs("take_drop", "FAILURE", "SUCCESS", "SUCCESS")
        loop.await_looks("incoming_drop", "rrsis_d/corrupt: refused")
        loop.await_looks("new_data", "data.dvc is still")
        assert loop.statuses("retrain") == ["SUCCESS", "SUCCESS"]
        assert champion(line) == better
        assert path_md5(line / "data") == data
        note = (line / "incoming" / "rrsis_d.corrupt.REFUSED.txt").read_text()
    # the first drop has brought this row, and another box is a conflict
    assert "annotations" in note
    assert "102" in note
    assert [path.name for path in (line / "incoming" / "rrsis_d").iterdir()] == ["corrupt"]
