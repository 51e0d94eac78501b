"""The served champion follows the alias: tiny models on a real MLflow store."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from geomag.config.load import load_profile
from geomag.config.schema import ScoreConfig
from geomag.data.records import read_records
from geomag.errors import GeoMagError, WeightsError
from geomag.evaluate.candidate import PARTS
from geomag.evaluate.champion import Registration, roll_back, run_gate
from geomag.evaluate.score.context import ScoringContext
from geomag.geometry import decode_mask
from geomag.manifest import read_manifest
from geomag.model.assemble import save_trained, untrained
from geomag.serve.champion import Champion
from geomag.serve.package import log_package
from geomag.tracking.registry import Registry
from geomag.versions import path_md5
from tests.ask.models import NONE, ONE, write_project
from tests.ask.rasters import AT, write_tif
from tests.conftest import copy_store
from tests.evaluate.promotion_cases import answer, make_line

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def project(tmp_path_factory, empty_store):
    """A project with a first champion, and the settings of its models."""
    root = make_line(tmp_path_factory.mktemp("project"))
    profile = load_profile(str(write_project(root)))
    copy_store(empty_store, root)
    answer(root, "one", lambda i: i % 3 > 0, md5s(root))
    assert promote(root, profile).champion_version == "1"
    return root, profile


@pytest.fixture
def copy(project, tmp_path, monkeypatch):
    """The same, to be changed; MLflow's artifacts stay where they were written."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root, profile = project
    shutil.copytree(root, tmp_path / "copy")
    return tmp_path / "copy", profile


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 60, 80), dtype=np.uint8)
    return write_tif(tmp_path / "harbour.tif", pixels).read_bytes()


def md5s(root):
    return {part: path_md5(root / "artifacts" / "models" / part) for part in PARTS}


def promote(root, profile):
    def records(name):
        return read_records(root / "artifacts" / "records" / name / "records.jsonl")

    def package(model_id, parts):
        log_package(model_id, root / "artifacts" / "models", parts, profile)

    tools = ScoringContext(config=ScoreConfig(resamples=200))
    return run_gate(root, records, tools, entry=Registration({}, package))


def retrain(root, profile):
    """Another decoder under ``artifacts/``, and better answers in the files that the gate reads."""
    models = root / "artifacts" / "models"
    torch.manual_seed(2)
    digests = save_trained(untrained(models, profile), models, profile)
    answer(root, "two", lambda i: i % 3 > 0 or i % 2 == 0, md5s(root))
    return digests["decoder"]


def test_the_next_request_is_answered_by_whoever_the_alias_names(copy, picture):
    root, profile = copy
    first_decoder = read_manifest(root / "artifacts" / "models" / "decoder")["digest"]
    champion = Champion(root)
    first = champion.ask(picture, ONE)
    assert (first["version"], first["model"]["decoder"]) == ("1", first_decoder)
    second_decoder = retrain(root, profile)
    assert champion.ask(picture, ONE)["masks"] == first["masks"]
    assert promote(root, profile).decision.outcome == "promote"
    second = champion.ask(picture, ONE)
    assert (second["version"], second["model"]["decoder"]) == ("2", second_decoder)
    assert second_decoder != first_decoder
    assert second["masks"] != first["masks"]
    roll_back(root)
    again = champion.ask(picture, ONE)
    assert (again["version"], again["masks"]) == ("1", first["masks"])


def test_an_answer_is_that_of_ask_with_masks_as_run_lengths(copy, picture):
    answer = Champion(copy[0]).ask(picture, ONE)
    assert answer["text"].startswith("It is")
    assert answer["image"]["transform"] == list(AT)[:6]
    (mask,) = answer["masks"]
    pixels = decode_mask(mask)
    rows, columns = np.nonzero(pixels)
    assert mask["area_px"] == pixels.sum() > 0
    assert mask["box"] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    plain = Champion(copy[0]).ask(picture, NONE, magcrop=False)
    assert (plain["text"], plain["masks"], plain["arm"]) == ("no", [], "plain")


def test_wrong_pictures_are_refused_without_our_temporary_names(copy):
    champion = Champion(copy[0])
    with pytest.raises(GeoMagError, match=r"^'image': starts with bytes '68 65 6c 6c'"):
        champion.ask(b"hello", ONE)


def test_f36_a_version_that_cannot_be_loaded_leaves_the_old_one_serving(copy, picture):
    root, profile = copy
    champion = Champion(root)
    champion.ask(picture, NONE)
    retrain(root, profile)
    promote(root, profile)
    stored = mlflow_files(root, "2")
    kept = (stored / "decoder" / "decoder.safetensors").read_bytes()
    (stored / "decoder" / "decoder.safetensors").write_bytes(kept[:-1] + b"\x00")
    assert champion.ask(picture, NONE)["version"] == "1"
    assert "version 2 cannot be loaded" in champion.problem or "sha256" in champion.problem
    with pytest.raises(WeightsError):
        Champion(root).current()
    roll_back(root)
    assert champion.ask(picture, NONE)["version"] == "1"
    assert champion.problem == ""


def test_f37_without_mlflow_the_loaded_version_goes_on(copy, picture, monkeypatch):
    champion = Champion(copy[0])
    champion.ask(picture, NONE)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert champion.ask(picture, NONE)["version"] == "1"
    assert "MLflow does not answer" in champion.problem


def mlflow_files(root, number):
    """The folder of the parts of a version in MLflow's store."""
    from mlflow import MlflowClient

    with Registry(root).as_default():
        client = MlflowClient()
        source = client.get_model_version("geomag", number).source
        logged = client.get_logged_model(source.removeprefix("models:/"))
    return Path(urllib.parse.urlparse(logged.artifact_location).path) / "artifacts"


@pytest.fixture
def server(copy):
    """The command itself on a free port; ended by SIGTERM, which must suffice."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "geomag", "serve", "--port", str(port)],
        cwd=copy[0],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "version 1 at http://127.0.0.1" in process.stdout.readline()
    yield copy, f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) in (0, -signal.SIGTERM)


def post(url, body, headers=None, **query):
    request = urllib.request.Request(
        f"{url}/ask?{urllib.parse.urlencode(query)}", data=body, headers=headers or {}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as refused:
        body = refused.read()
        return refused.code, json.loads(body) if body.startswith(b"{") else body.decode()


def test_the_command_answers_and_follows_the_alias(server, picture):
    (root, profile), url = server
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            status, first = post(url, picture, prompt=ONE)
            break
        except urllib.error.URLError:  # the line is printed just before the port opens
            continue
    assert (status, first["version"], len(first["masks"])) == (200, "1", 1)
    retrain(root, profile)
    promote(root, profile)
    assert post(url, picture, prompt=ONE)[1]["version"] == "2"
    roll_back(root)
    assert post(url, picture, prompt=ONE)[1]["masks"] == first["masks"]
    ask = partial(post, url)
    assert ask(b"hello", prompt=ONE)[0] == 422
    assert ask(picture, prompt=" ")[1]["error"]["wanted"] == "a question or an instruction"
    assert ask(picture, prompt=ONE, arms="x")[1]["error"]["found"] == "unknown arms"
    assert ask(picture, prompt=ONE, bands="9")[0] == 422
    status, text = ask(picture, {"Host": "evil.example"}, prompt=ONE)
    assert (status, text[:20]) == (421, "Host evil.example: w")


def test_without_a_champion_the_command_says_what_to_do(tmp_path, empty_store):
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    copy_store(empty_store, tmp_path)
    command = [sys.executable, "-m", "geomag", "serve", "--port", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip() == "registered model geomag: no champion. Remedy: geomag promote"
