"""The queue and the limits in front of a model; the model stands still until it is let go."""

import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvicorn

from geomag.serve.http import application

PATH = "/ask?prompt=Where%3F"


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
    """The application in a thread, taking 1,000 bytes and two waiting requests."""
    model = SlowModel()
    app = application(model, max_bytes=1000, most_waiting=2)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    yield model, server.servers[0].sockets[0].getsockname()[1]
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
