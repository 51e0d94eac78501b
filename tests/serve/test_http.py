"""The queue and the limits in front of a model; the model stands still until it is let go."""

import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
import uvicorn

from geomag.serve.http import Limits, application
from geomag.serve.protocol import PromptHeads

PATH = "/ask?prompt=Where%3F"


LIMITS = Limits(max_bytes=1000, most_waiting=2, read_s=1, upload_s=2)
HEAD = b"POST /ask?prompt=x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: %d\r\n\r\n"


class Heads(PromptHeads):
    head_s = 1


class SlowModel:
    """Counts its requests; answers them once `go` is set."""

    def __init__(self):
        self.go = threading.Event()
        self.begun = 0

    def ask(self, image, prompt, **params):
        self.begun += 1
        assert self.go.wait(30)
        return {"n_bytes": len(image), "prompt": prompt, **params}


@pytest.fixture
def service():
    with serving(LIMITS) as (model, port):
        yield model, port


@contextmanager
def serving(limits):
    """The application in a thread; yields its model and port."""
    model = SlowModel()
    config = uvicorn.Config(
        application(model, limits), host="127.0.0.1", port=0, log_level="error", http=Heads
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    try:
        yield model, server.servers[0].sockets[0].getsockname()[1]
    finally:
        model.go.set()
        server.should_exit = True
        thread.join(30)


def wait_for(claim, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def post(port, body=b"picture", headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", PATH, body, headers or {})
    reply = connection.getresponse()
    return reply.status, reply.headers, json.loads(reply.read())


def test_f40_a_few_wait_in_turn_and_more_are_sent_away(service):
    model, port = service
    with ThreadPoolExecutor(40) as pool:
        replies = [pool.submit(post, port) for _ in range(40)]
        # three are in: one with the model, two in the queue; the model is let go after the rest
        wait_for(lambda: sum(reply.done() for reply in replies) == 37)
        assert model.begun == 1
        model.go.set()
        done = [reply.result() for reply in replies]
    assert sorted(status for status, *_ in done) == [200] * 3 + [503] * 37
    assert {headers["Retry-After"] for status, headers, _ in done if status == 503} == {"5"}
    assert {reply["n_bytes"] for status, _, reply in done if status == 200} == {7}
    assert model.begun == 3


def test_f40_whoever_hangs_up_while_waiting_costs_nothing(service):
    model, port = service
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(post, port)
        wait_for(lambda: model.begun == 1)
        gone = http.client.HTTPConnection("127.0.0.1", port)
        gone.request("POST", PATH, b"picture")
        gone.close()
        model.go.set()
        assert first.result()[0] == 200
        assert post(port)[0] == 200
    assert model.begun == 2


def test_f41_a_picture_beyond_the_limit_is_refused_with_and_without_a_length(service):
    model, port = service
    status, _, reply = post(port, b"x" * 1001)
    assert (status, reply["error"]["wanted"]) == (413, "at most 1,000 bytes")
    assert post(port, iter([b"x" * 600, b"x" * 600]))[0] == 413  # http.client sends it in chunks
    assert model.begun == 0
    model.go.set()
    assert post(port, b"x" * 1000)[0] == 200


def test_an_empty_body_is_refused(service):
    assert post(service[1], b"")[2]["error"]["place"] == "body"


def test_f41_slow_uploads_hold_no_place_in_the_queue_and_end_with_408(service):
    model, port = service
    model.go.set()
    slow = [send(port, HEAD % (port, 500) + b"ten bytes.") for _ in range(9)]
    start = time.monotonic()
    assert post(port)[0] == 200
    assert time.monotonic() - start < 1
    for connection in slow:
        assert read_all(connection).startswith(b"HTTP/1.1 408 ")  # and the connection is closed
    assert time.monotonic() - start < 10
    assert model.begun == 1


def test_an_upload_that_trickles_ends_with_408_too(service):
    _, port = service
    with send(port, HEAD % (port, 500)) as connection:
        connection.settimeout(0.3)
        reply = b""
        for _ in range(30):  # each part comes in time, the whole does not
            connection.sendall(b".")
            with suppress(TimeoutError):
                reply = connection.recv(1 << 16)
                break
    assert reply.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("first", [b"", b"POST /ask "])
def test_a_head_that_does_not_end_is_not_waited_for(service, first):
    with send(service[1], first) as connection:
        assert read_all(connection) == b""


def test_a_second_request_on_a_connection_has_the_same_time_for_its_head(service):
    port = service[1]
    with send(port, b"GET /none HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port) as connection:
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 404 ")
        connection.sendall(b"POST /ask ")
        assert read_all(connection) == b""


def test_f40_large_pictures_that_arrive_at_once_are_bounded_together(service):
    model, port = service
    slow = [send(port, HEAD % (port, 1000) + b"x" * 900) for _ in range(4)]
    time.sleep(0.3)  # 3,600 of 4,000 bytes are held
    assert post(port, b"x" * 500)[0] == 503
    model.go.set()
    for connection in slow:
        assert read_all(connection).startswith(b"HTTP/1.1 408 ")
    assert post(port, b"x" * 500)[0] == 200  # all of it was given back


def test_f40_whoever_leaves_the_queue_gives_up_its_place_at_once():
    """With pictures of a size beyond which uvicorn stops reading, and would not see the end."""
    large = b"x" * 200_000
    limits = replace(LIMITS, max_bytes=len(large))
    with serving(limits) as (model, port), ThreadPoolExecutor(4) as pool:
        first = pool.submit(post, port)
        wait_for(lambda: model.begun == 1)
        gone = [send(port, HEAD % (port, len(large)) + large) for _ in range(2)]
        time.sleep(0.5)
        assert post(port)[0] == 503
        for connection in gone:
            connection.close()
        time.sleep(0.5)
        last = [pool.submit(post, port) for _ in range(2)]  # both find a place
        time.sleep(0.3)
        assert not any(reply.done() for reply in last)
        model.go.set()
        assert [reply.result()[0] for reply in (first, *last)] == [200] * 3
        assert model.begun == 3


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:{port}"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Host": "localhost:{port}"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "https://127.0.0.1:{port}"}, 403),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),  # a form
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_only_requests_of_this_machine_and_of_no_other_page_are_answered(service, headers, status):
    model, port = service
    model.go.set()
    sent = {name: value.format(port=port) for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", PATH, b"picture", sent)
    assert connection.getresponse().status == status
    assert model.begun == (status == 200)


def send(port, content):
    """A connection on which so much has been sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(content)
    return connection


def read_all(connection):
    """What comes until the server closes."""
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    connection.close()
    return b"".join(parts)
