"""Kubernetes as its API and one node: takes Jobs by HTTP, checks them against the published schema,
runs their containers as processes of this machine, and says what became of them."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import kubernetes_validate
import yaml

VERSION = "1.31"
"""Of the schema."""
JOBS = "/apis/batch/v1/namespaces/geomag/jobs"


class Cluster(ThreadingHTTPServer):
    """The Jobs that were sent, and their processes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Api)
        self.jobs: dict[str, dict] = {}
        self.refused: list[str] = []
        self.processes: dict[str, subprocess.Popen] = {}

    def start(self, job: dict) -> None:
        (container,) = job["spec"]["template"]["spec"]["containers"]
        given = {one["name"]: one["value"] for one in container["env"]}
        command = [sys.executable, "-m", *container["args"]]
        self.processes[job["metadata"]["name"]] = subprocess.Popen(
            command, cwd=container.get("workingDir"), env={**os.environ, **given}
        )

    def status(self, name: str) -> dict:
        code = self.processes[name].poll()
        return {"active": 1} if code is None else {"failed" if code else "succeeded": 1}


class _Api(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            assert self.path == JOBS
            kubernetes_validate.validate(job, VERSION, strict=True)
        except Exception as wrong:
            self.server.refused.append(str(wrong))
            self._reply(422, {"kind": "Status", "status": "Failure", "message": str(wrong)})
            return
        self.server.jobs[job["metadata"]["name"]] = job
        self.server.start(job)
        self._reply(201, job)

    def do_GET(self) -> None:
        name = self.path.removeprefix(f"{JOBS}/").partition("/")[0]
        self._reply(200, {**self.server.jobs[name], "status": self.server.status(name)})

    def _reply(self, status: int, body: dict) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        """Say nothing."""


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster with its kubeconfig at ``folder/kubeconfig``; its processes are gone afterwards."""
    server = Cluster()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": address}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "current-context": "here",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    try:
        yield server
    finally:
        server.shutdown()
        for process in server.processes.values():
            process.kill()
            process.wait()
