"""`dagster dev` as `make ui` starts it: webserver, daemon and code server of one module."""

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

from geomag_dagster.supervise import die_with_parent
from tests.geomag_dagster.test_supervise import wait_for

START_S = 600


@contextmanager
def dagster_dev(module: str, folder: Path) -> Iterator[int]:
    """Run it with ``folder / "home"`` as its instance; yields its port once it answers."""
    home = folder / "home"
    home.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "dagster", "dev", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    with (folder / "dev.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--module-name", module],
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
