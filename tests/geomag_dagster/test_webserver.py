"""What `make ui` starts, asked as a page of somebody else would ask it: real processes."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import websockets.exceptions
from dagster_graphql import DagsterGraphQLClient
from websockets.sync.client import connect

from tests.geomag_dagster.test_supervise import wait_for
from tests.geomag_dagster.toy import make_project

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
START_S = 600
WORKSPACE = "load_from: [{python_module: {module_name: toy_location, location_name: toy}}]\n"
LOCATION = "import dagster as dg\n\n@dg.asset\ndef one(): ...\n\ndefs = dg.Definitions([one])\n"
ASKED = json.dumps({"query": "{ version }"}).encode()
RUNS = "/api/2.0/mlflow/experiments/search"


@pytest.fixture(scope="module")
def ports(tmp_path_factory):
    """Dagster's and MLflow's, of a project with one asset; SIGTERM must end all."""
    root = make_project(tmp_path_factory.mktemp("project"))
    shutil.copyfile(ROOT / "dagster.yaml", root / "dagster.yaml")
    (root / "workspace.yaml").write_text(WORKSPACE)
    (root / "toy_location.py").write_text(LOCATION)
    with started(root) as (process, ports):
        yield ports
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        for port in ports:
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(("127.0.0.1", port), timeout=5)


@contextmanager
def started(root):
    ports = free_ports()
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    environment |= {"PYTHONPATH": f"{ROOT}:{root}", "MLFLOW_SERVER_ALLOWED_HOSTS": "*"}
    environment |= {"MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true"}
    command = [sys.executable, "-m", "geomag_dagster.ui", "--port", str(ports[0])]
    with (root / "ui.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--mlflow-port", str(ports[1])],
            cwd=root,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: answer(process, root, ports), START_S, every_s=0.5)
        yield process, ports
    finally:
        process.terminate()
        process.wait(60)


def free_ports():
    with socket.socket() as one, socket.socket() as two:
        for probe in (one, two):
            probe.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def answer(process, root, ports):
    assert process.poll() is None, (root / "ui.log").read_text()[-3000:]
    try:
        return ask(ports[0], "GET", "/server_info") == ask(ports[1], "GET", "/health") == 200
    except OSError:
        return False


def ask(port, method, path, body=None, **headers):
    """The status of one request; ``{port}`` in a header is replaced."""
    sent = {name.replace("_", "-"): value.format(port=port) for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {"Content-Type": "application/json", **sent})
    return connection.getresponse().status


def test_a_run_that_is_launched_there_is_taken_by_the_daemon_and_succeeds(ports):
    client = DagsterGraphQLClient("127.0.0.1", port_number=ports[0])
    run = client.submit_job_execution("__ASSET_JOB", repository_location_name="toy")
    wait_for(lambda: client.get_run_status(run).value == "SUCCESS", START_S, every_s=0.5)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:{port}"}, 200),
        ({"Origin": "http://127.0.0.1:{port}", "Sec_Fetch_Site": "same-origin"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:{port}"}, 421),
        ({"Host": "127.0.0.1.evil.example:{port}"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:{port}"}, 403),  # another origin than the Host's
    ],
)
def test_graphql_answers_only_its_own_pages_and_programs(ports, headers, status):
    assert ask(ports[0], "POST", "/graphql", ASKED, **headers) == status


def test_a_query_in_the_address_of_a_picture_or_script_of_another_page_is_refused(ports):
    """No Origin comes with these; Dagster runs mutations that come by GET, too."""
    path = "/graphql?query=%7Bversion%7D"
    assert ask(ports[0], "GET", path) == 200
    embedded = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}
    assert ask(ports[0], "GET", path, Sec_Fetch_Dest="image", **embedded) == 403
    framed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert ask(ports[0], "GET", "/", Sec_Fetch_Dest="iframe", **framed) == 403
    assert ask(ports[0], "GET", "/", Sec_Fetch_Dest="document", **framed) == 200  # a link


def test_websockets_are_guarded_alike(ports):
    address = f"ws://127.0.0.1:{ports[0]}/graphql"
    for hostile in ("http://evil.example", "null"):
        with (
            pytest.raises(websockets.exceptions.InvalidStatus, match="403"),
            connect(address, origin=hostile, subprotocols=["graphql-ws"]),
        ):
            pass
    honest = f"http://127.0.0.1:{ports[0]}"
    with connect(address, origin=honest, subprotocols=["graphql-ws"]) as socket_:
        socket_.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket_.recv(30)) == {"type": "connection_ack"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:{port}"}, 200),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "192.168.0.7:{port}"}, 403),  # in MLflow's own list
        ({"Origin": "http://evil.example"}, 403),
    ],
)
def test_mlflow_answers_this_machine_only_whatever_the_environment_says(ports, headers, status):
    body = json.dumps({"max_results": 1}).encode()
    assert ask(ports[1], "POST", RUNS, body, **headers) == status


def test_both_listen_on_loopback_alone(ports):
    """In ``/proc/net/tcp`` an address is hexadecimal, its bytes reversed."""
    for port in ports:
        tables = [Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
        rows = [row.split() for table in tables for row in table.splitlines()[1:]]
        listening = [local for _, local, _, state, *_ in rows if state == "0A"]
        assert [at for at in listening if at.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
