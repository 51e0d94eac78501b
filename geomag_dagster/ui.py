"""``python -m geomag_dagster.ui``: Dagster's pages and daemon, and MLflow's server, on loopback."""

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from geomag.boundary import told
from geomag.config import project_root
from geomag.errors import ToolError
from geomag.serve.guard import LOOPBACK, NAMES
from geomag.tracking import make_store, tracking_uri
from geomag_dagster.home import dagster_home
from geomag_dagster.supervise import die_with_parent

STOP = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}


def serve(root: Path, *, port: int, mlflow_port: int) -> int:
    """Run both servers until one ends or we are told to stop; both are gone when this returns."""
    for wanted, option in ((port, "PORT"), (mlflow_port, "MLFLOW_PORT")):
        _refuse_taken(wanted, option)
    dagster_home(root)
    make_store(tracking_uri(root))  # not by the server, while a stage may want it too
    os.environ["GEOMAG_MLFLOW_URL"] = f"http://{LOOPBACK}:{mlflow_port}"
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    servers = [
        _start(_dagster_command(root, port), root),
        _start(_mlflow_command(root, mlflow_port), root),
    ]
    sys.stdout.write(
        f"Dagster  http://{LOOPBACK}:{port}\n"
        f"MLflow   http://{LOOPBACK}:{mlflow_port}\nCtrl-C stops both.\n"
    )
    sys.stdout.flush()
    while all(server.poll() is None for server in servers):
        if signal.sigwait(STOP) != signal.SIGCHLD:
            break
    return _stop(servers)


def _dagster_command(root: Path, port: int) -> list[str]:
    pages = [sys.executable, "-m", "geomag_dagster.webserver", "--port", str(port)]
    return [*pages, "--workspace", str(root / "workspace.yaml")]


def _mlflow_command(root: Path, port: int) -> list[str]:
    server = [sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(port)]
    store = ["--backend-store-uri", tracking_uri(root), "--workers", "1"]
    # its own list takes any port and every private address too, and the environment can widen it
    hosts = ["--allowed-hosts", ",".join(f"{name}:{port}" for name in NAMES)]
    origins = ["--cors-allowed-origins", f"http://{LOOPBACK}:{port}"]
    folder = ["--artifacts-destination", str(root / "mlflow" / "artifacts")]
    return [*server, *store, *hosts, *origins, *folder]


def _start(command: list[str], root: Path) -> subprocess.Popen[bytes]:
    # A server started with SIGINT ignored, as background shells do, would never stop its children.
    environment = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "false",  # whatever is exported elsewhere
    }
    return subprocess.Popen(
        command, cwd=root, env=environment, start_new_session=True, preexec_fn=_fresh(os.getpid())
    )


def _fresh(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)
        die_with_parent(parent)

    return prepare


def _stop(servers: list[subprocess.Popen[bytes]]) -> int:
    """End both process groups in order; returns 1 when a server had ended by itself."""
    died = [server for server in servers if server.poll() is not None]
    for number, wait_s in ((signal.SIGINT, 10), (signal.SIGKILL, 10)):
        for server in servers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, number)
        for server in servers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(wait_s)
    return 1 if died else 0


def _refuse_taken(port: int, option: str) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((LOOPBACK, port)) == 0:
            raise ToolError(
                f"port {port}", "something listens there", remedy=f"make ui {option}={port + 1}"
            )


def main() -> int:
    """Exit code 0 when stopped, 1 when a server died, 2 when a port is taken."""
    parser = argparse.ArgumentParser(prog="python -m geomag_dagster.ui")
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--mlflow-port", type=int, default=5000)
    chosen = parser.parse_args()
    try:
        return serve(project_root(), port=chosen.port, mlflow_port=chosen.mlflow_port)
    except Exception as wrong:
        message = told(wrong)
        if message is None:
            raise
        sys.stderr.write(f"{message}\n")
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
