"""Terminate, as the UI's button sends it: to a real webserver, daemon and code server."""

import time

import pytest
from dagster_graphql import DagsterGraphQLClient

from geomag.train.checkpoint import latest_checkpoint
from tests.geomag_dagster.dev import dagster_dev
from tests.geomag_dagster.executors.small_training import STEPS
from tests.geomag_dagster.executors.test_kills import ancestors, is_gone, left_in, progress
from tests.geomag_dagster.test_supervise import wait_for

pytestmark = pytest.mark.integration

GRACE_S, DEADLINE_S = 30, 600


@pytest.fixture
def ui(project, tmp_path):
    """The small training in the UI; yields a client."""
    with dagster_dev("tests.geomag_dagster.executors.ui", tmp_path) as port:
        yield DagsterGraphQLClient("127.0.0.1", port_number=port)


def test_f39_terminate_stops_the_training_in_its_grace_and_the_next_run_resumes(ui, project):
    def status(run: str) -> str:
        return ui.get_run_status(run).value

    first = ui.submit_job_execution("stage_job")
    wait_for(lambda: any(done >= 10 for _, done in progress(project)), DEADLINE_S)
    (trained, _) = progress(project)[-1]
    processes = ancestors(trained)
    assert set(processes) == {"training", "dvc", "step"}
    asked = time.monotonic()
    ui.terminate_run(first)
    wait_for(lambda: all(map(is_gone, processes.values())), GRACE_S)
    assert time.monotonic() - asked < GRACE_S
    wait_for(lambda: status(first) == "CANCELED", DEADLINE_S)
    assert not (project / "adapter").exists()
    saved = progress(project)[-1][1]
    assert latest_checkpoint(project / "work" / "train").name == f"update-{saved:07d}"
    assert left_in(project) == []
    (project / "gate").write_text("")
    second = ui.submit_job_execution("stage_job")
    wait_for(lambda: status(second) in ("SUCCESS", "FAILURE"), DEADLINE_S)
    assert status(second) == "SUCCESS"
    resumed = [done for pid, done in progress(project) if pid != trained]
    assert resumed[0] == min(saved + 1, STEPS)  # nothing is done twice
    assert (project / "adapter" / "complete.json").is_file()
