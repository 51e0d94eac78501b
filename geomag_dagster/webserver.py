"""Dagster's pages and daemon behind our guard: ``python -m geomag_dagster.webserver --port PORT``.

`dagster dev` answers whatever ``Host`` and ``Origin`` a request names, and has no setting for it,
so a page in a browser could launch runs. These are the parts that it is made of (one code server
that the pages and the daemon share, the daemon, the pages), with the pages guarded.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
import yaml
from dagster import DagsterInstance
from dagster._cli.proxy_server_manager import ProxyServerManager
from dagster._cli.utils import get_instance_for_cli
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__

from geomag.serve.guard import LOOPBACK, Guard
from geomag_dagster.supervise import die_with_parent, obey_interrupts

POLL_MS = 2000
"""How often an open page asks for what is new; as `dagster dev` has it."""
DAEMON_WAIT_S = 60


def serve(workspace: Path, port: int) -> int:
    """Serve until we are told to stop, or the daemon ends; returns 1 for the latter."""
    with (
        get_instance_for_cli() as instance,
        _shared_servers(instance, workspace) as shared,
        _daemon(shared) as daemon,
        WorkspaceProcessContext(
            instance, WorkspaceFileTarget([str(shared)]), version=__version__
        ) as context,
    ):
        app = create_app_from_workspace_process_context(context, "", POLL_MS)
        server = uvicorn.Server(
            uvicorn.Config(
                Guard(app), host=LOOPBACK, port=port, log_level="warning", proxy_headers=False
            )
        )

        def follow() -> None:
            daemon.wait()
            server.should_exit = True

        threading.Thread(target=follow, daemon=True).start()
        server.run()
    return 1  # told to stop, it raises KeyboardInterrupt once it has stopped


@contextlib.contextmanager
def _shared_servers(instance: DagsterInstance, workspace: Path) -> Iterator[Path]:
    """Code servers of a workspace, and the workspace file by which they are reached."""
    target = WorkspaceFileTarget([str(workspace)])
    with (
        ProxyServerManager(instance, target, code_server_log_level="warning") as servers,
        tempfile.TemporaryDirectory() as folder,
    ):
        shared = Path(folder) / "workspace.yaml"
        shared.write_text(yaml.safe_dump({"load_from": list(servers.get_code_server_specs())}))
        yield shared


@contextlib.contextmanager
def _daemon(workspace: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Dagster's daemon, until we end."""
    command = [sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(workspace)]
    daemon = subprocess.Popen(command, preexec_fn=_child(os.getpid()))
    try:
        yield daemon
    finally:
        daemon.send_signal(signal.SIGINT)
        try:
            daemon.wait(DAEMON_WAIT_S)
        except subprocess.TimeoutExpired:
            daemon.kill()


def _child(parent: int) -> Callable[[], None]:
    return lambda: die_with_parent(parent)


def main() -> int:
    """Exit code 0 when stopped, 1 when the daemon died."""
    parser = argparse.ArgumentParser(prog="python -m geomag_dagster.webserver")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workspace", type=Path, default=Path("workspace.yaml"))
    chosen = parser.parse_args()
    os.environ["DAGSTER_IS_DEV_CLI"] = "1"  # a code location that cannot be loaded is shown
    obey_interrupts()
    setup_interrupt_handlers()
    try:
        return serve(chosen.workspace, chosen.port)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    raise SystemExit(main())
