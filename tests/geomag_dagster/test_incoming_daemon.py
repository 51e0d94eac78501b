"""The same with Dagster's own daemon: nobody touches anything but ``incoming/``."""

import subprocess
import sys
from pathlib import Path

import pytest
from dagster_graphql import DagsterGraphQLClient

from geomag.versions import path_md5
from tests.geomag_dagster.dev import dagster_dev
from tests.geomag_dagster.hand_drops import PROJECT, copy_by_hand, make_line
from tests.geomag_dagster.test_supervise import wait_for

pytestmark = pytest.mark.integration

DEADLINE_S = 240
MODULE = "tests.geomag_dagster.hand_drops"
STATE = """sensorOrError(sensorSelector: $s) { ... on Sensor { sensorState { ticks(limit: 3) {
    timestamp status skipReason } } } }"""


class Loop:
    """What a user does in the UI, and what it shows."""

    def __init__(self, port: int) -> None:
        self.client = DagsterGraphQLClient("127.0.0.1", port_number=port)

    def ask(self, query: str, **variables: object) -> dict:
        return self.client._execute(query, variables)

    def switch_on(self, sensor: str) -> None:
        self.ask(
            "mutation($s: SensorSelector!) { startSensor(sensorSelector: $s) { __typename } }",
            s=selector(sensor),
        )

    def ticks(self, sensor: str) -> list[dict]:
        """Newest first."""
        found = self.ask(f"query($s: SensorSelector!) {{ {STATE} }}", s=selector(sensor))
        return found["sensorOrError"]["sensorState"]["ticks"]

    def runs(self, job: str) -> list[str]:
        """Statuses, newest first."""
        query = """query($f: RunsFilter) { runsOrError(filter: $f) { ... on Runs {
            results { status } } } }"""
        found = self.ask(query, f={"pipelineName": job})["runsOrError"]["results"]
        return [run["status"] for run in found]

    def await_runs(self, job: str, *statuses: str) -> None:
        wait_for(lambda: self.runs(job) == list(statuses), DEADLINE_S)

    def await_looks(self, sensor: str, reason: str) -> None:
        """Its two next looks find nothing to do, for that reason."""
        last = self.ticks(sensor)[0]["timestamp"]

        def looked() -> bool:
            later = [t for t in self.ticks(sensor)[:2] if t["timestamp"] > last]
            return len(later) == 2 and all(reason in (t["skipReason"] or "") for t in later)

        wait_for(looked, DEADLINE_S)


def selector(sensor: str) -> dict[str, str]:
    return {
        "repositoryName": "__repository__",
        "repositoryLocationName": MODULE,
        "sensorName": sensor,
    }


@pytest.fixture
def line(tmp_path, monkeypatch):
    root = make_line(tmp_path / "project")
    command = [sys.executable, "-m", "dvc", "--quiet", "add", "data"]
    subprocess.run(command, cwd=root, check=True)
    monkeypatch.setenv(PROJECT, str(root))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return root


def test_f33_f34_drops_by_hand_are_taken_in_once_known_again_and_refused(line, tmp_path):
    with dagster_dev(MODULE, tmp_path) as port:
        loop = Loop(port)
        for sensor in ("incoming_drop", "new_data"):
            loop.switch_on(sensor)
        loop.await_runs("retrain", "SUCCESS")  # the data that is there at first
        scored = path_md5(line / "artifacts" / "scores")
        copy_by_hand(line)
        loop.await_runs("take_drop", "SUCCESS")
        loop.await_runs("retrain", "SUCCESS", "SUCCESS")
        assert path_md5(line / "artifacts" / "scores") != scored
        loop.await_looks("new_data", "data.dvc is still")
        copy_by_hand(line, "the-same-again")
        loop.await_runs("take_drop", "SUCCESS", "SUCCESS")
        loop.await_looks("new_data", "data.dvc is still")
        copy_by_hand(line, "corrupt", bad=True)
        loop.await_runs("take_drop", "FAILURE", "SUCCESS", "SUCCESS")
        loop.await_looks("incoming_drop", "rrsis_d/corrupt: refused")
        loop.await_looks("new_data", "data.dvc is still")
        assert loop.runs("retrain") == ["SUCCESS", "SUCCESS"]
        note = (line / "incoming" / "rrsis_d.corrupt.REFUSED.txt").read_text()
    # the first drop has brought this row, and another box is a conflict
    assert "annotations" in note
    assert "102" in note
    assert [path.name for path in (line / "incoming" / "rrsis_d").iterdir()] == ["corrupt"]
