"""Dagster's pages and daemon as `make ui` starts them, and what a user does and sees there."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster_graphql import DagsterGraphQLClient

from geomag_dagster.supervise import die_with_parent
from tests.geomag_dagster.test_supervise import wait_for

START_S = 600
TICKS = """query($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor {
    sensorState { ticks(limit: 5) { timestamp status skipReason } } } } }"""
RUNS = """query($f: RunsFilter) { runsOrError(filter: $f) { ... on Runs {
    results { runId status } } } }"""
ENDED = ("SUCCESS", "FAILURE", "CANCELED")


@contextmanager
def dagster_dev(module: str, folder: Path) -> Iterator[int]:
    """Run it with ``folder / "home"`` as its instance; yields its port once it answers."""
    home = folder / "home"
    home.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    workspace = folder / "workspace.yaml"
    workspace.write_text(f"load_from: [{{python_module: {module}}}]\n")
    command = [sys.executable, "-m", "geomag_dagster.webserver", "--port", str(port)]
    environment = {**os.environ, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    with (folder / "dev.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--workspace", str(workspace)],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_fresh(os.getpid()),
        )

        def answers() -> bool:
            said = (folder / "dev.log").read_text()
            assert server.poll() is None, said[-3000:]
            assert "Error loading repository location" not in said, said[-3000:]
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5):
                    return True
            except (urllib.error.URLError, TimeoutError):
                return False

        try:
            wait_for(answers, START_S)
            yield port
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) is not None


def _fresh(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # else it would never stop
        die_with_parent(parent)

    return prepare


class Loop:
    """The UI of one code location: sensors switched on, runs and ticks as it shows them."""

    def __init__(self, port: int, location: str, *, deadline_s: float = 240) -> None:
        self.client = DagsterGraphQLClient("127.0.0.1", port_number=port)
        self.location, self.deadline_s = location, deadline_s

    def ask(self, query: str, **variables: object) -> dict:
        return self.client._execute(query, variables)

    def switch_on(self, sensor: str) -> None:
        self.ask(
            "mutation($s: SensorSelector!) { startSensor(sensorSelector: $s) { __typename } }",
            s=self._selector(sensor),
        )

    def set_cursor(self, sensor: str, cursor: str) -> None:
        self.ask(
            "mutation($s: SensorSelector!, $c: String) { setSensorCursor(sensorSelector: $s, "
            "cursor: $c) { __typename } }",
            s=self._selector(sensor),
            c=cursor,
        )

    def ticks(self, sensor: str) -> list[dict]:
        """Newest first."""
        found = self.ask(TICKS, s=self._selector(sensor))
        return found["sensorOrError"]["sensorState"]["ticks"]

    def runs(self, job: str) -> list[dict]:
        """Their ids and statuses, newest first."""
        return self.ask(RUNS, f={"pipelineName": job})["runsOrError"]["results"]

    def statuses(self, job: str) -> list[str]:
        """Newest first."""
        return [run["status"] for run in self.runs(job)]

    def await_runs(self, job: str, *statuses: str) -> None:
        """All runs of a job have ended, so and no more."""

        def ended() -> bool:
            now = self.statuses(job)
            assert len(now) <= len(statuses), now
            return len(now) == len(statuses) and all(status in ENDED for status in now)

        self.wait(ended)
        assert self.statuses(job) == list(statuses)

    def await_looks(self, sensor: str, reason: str) -> None:
        """Its two next looks find nothing to do, for that reason."""
        last = self.ticks(sensor)[0]["timestamp"]

        def looked() -> bool:
            later = [t for t in self.ticks(sensor)[:2] if t["timestamp"] > last]
            return len(later) == 2 and all(reason in (t["skipReason"] or "") for t in later)

        self.wait(looked)

    def wait(self, condition: Callable[[], object]) -> None:
        """Look now and then: the servers need the cores more than we do."""
        wait_for(condition, self.deadline_s, every_s=0.5)

    def _selector(self, sensor: str) -> dict[str, str]:
        return {
            "repositoryName": "__repository__",
            "repositoryLocationName": self.location,
            "sensorName": sensor,
        }
