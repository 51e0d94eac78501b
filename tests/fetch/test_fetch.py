"""`geomag fetch` against a server on loopback that speaks the hub's protocol."""

import io
import os
import re
import subprocess
import sys
import zipfile

import pytest

from geomag.data.benchmarks import BENCHMARKS
from geomag.errors import AnnotationError
from geomag.fetch.data import unpack, where
from geomag.fetch.sources import LLAVA_INTERLEAVE, SAM2_BASE_PLUS, WEIGHTS, data_of
from geomag.io import read_json
from tests.fetch.hub import Hub, serving

REVISION = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS_FILE = bytes(range(256)) * 4_000
CONFIG = b'{"model_type": "llava"}'
FETCH = """
import sys
from pathlib import Path
from geomag.boundary import told
from geomag.fetch.hub import fetch
from geomag.fetch.sources import HubSource
files = ("*.json", "*.safetensors")
source = HubSource(repo="owner/tiny", revision=sys.argv[1], licence="free", files=files)
try:
    print(fetch(source, Path(sys.argv[2]), log=print))
except Exception as wrong:
    print(told(wrong)); sys.exit(2)
"""


def files():
    return {"config.json": CONFIG, "model.safetensors": WEIGHTS_FILE, "notes.md": b"not wanted"}


@pytest.fixture
def hub():
    with serving(Hub({("models/owner/tiny", REVISION): files()})) as running:
        yield running


def environment(hub, home, **more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    hf = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return {**kept, **hf, **quiet, **more}


def fetched(hub, tmp_path, revision=REVISION, **more):
    """Exit code and words of one fetch, in a process of its own: its library reads the endpoint."""
    done = subprocess.run(
        [sys.executable, "-c", FETCH, revision, str(tmp_path / "models" / "tiny")],
        env=environment(hub, tmp_path / "home", **more),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_pinned_revision_comes_whole_and_a_second_fetch_asks_for_nothing(hub, tmp_path):
    code, said = fetched(hub, tmp_path)
    out = tmp_path / "models" / "tiny"
    assert code == 0, said
    assert "owner/tiny at 0123456789ab, free" in said
    assert (out / "model.safetensors").read_bytes() == WEIGHTS_FILE
    assert not (out / "notes.md").exists()
    facts = read_json(out / "FETCHED.json")
    assert (facts["repo"], facts["revision"], facts["licence"]) == ("owner/tiny", REVISION, "free")
    assert sorted(facts["sha256"]) == ["config.json", "model.safetensors"]
    before = len(hub.requests)
    code, said = fetched(hub, tmp_path)
    assert (code, len(hub.requests)) == (0, before)
    assert "is there already" in said
    assert said.rstrip().endswith("False")


def test_a_lost_connection_goes_on_where_it_was(hub, tmp_path):
    large = WEIGHTS_FILE * 23  # its reader takes ten million bytes at a time
    hub.repos["models/owner/tiny", REVISION]["model.safetensors"] = large
    hub.cut_after = 12_000_000
    code, said = fetched(hub, tmp_path)
    assert code == 0, said
    assert (tmp_path / "models" / "tiny" / "model.safetensors").read_bytes() == large
    ranges = [asked for method, path, asked in hub.requests if path.endswith("model.safetensors")]
    assert any(re.fullmatch(r"bytes=\d+-", asked) for asked in ranges)


def test_the_hub_s_cache_serves_without_a_network(hub, tmp_path):
    assert fetched(hub, tmp_path)[0] == 0
    asked = len(hub.requests)
    (tmp_path / "models" / "tiny").rename(tmp_path / "elsewhere")
    code, said = fetched(hub, tmp_path, HF_HUB_OFFLINE="1")
    assert code == 0, said
    assert len(hub.requests) == asked
    assert (tmp_path / "models" / "tiny" / "config.json").read_bytes() == CONFIG


def test_without_network_and_cache_nothing_is_left_and_the_remedy_is_said(hub, tmp_path):
    code, said = fetched(hub, tmp_path, HF_HUB_OFFLINE="1")
    assert code == 2
    assert "owner/tiny: cannot be fetched" in said
    assert "Remedy: look at the network" in said
    assert "Traceback" not in said
    assert not (tmp_path / "models").exists() or not any((tmp_path / "models").iterdir())


def test_a_revision_that_is_not_there_is_named(hub, tmp_path):
    code, said = fetched(hub, tmp_path, revision="f" * 40)
    assert code == 2
    assert "the hub has no such revision ffff" in said


def test_what_the_cache_holds_is_compared_with_what_the_hub_lists(hub, tmp_path):
    assert fetched(hub, tmp_path)[0] == 0
    blobs = list((tmp_path / "home").rglob("blobs/*"))
    large = max(blobs, key=lambda blob: blob.stat().st_size)
    changed = bytearray(large.read_bytes())
    changed[7] ^= 1
    large.unlink()  # the fetched folder's name for the same file keeps the old bytes
    large.write_bytes(changed)
    (tmp_path / "models" / "tiny").rename(tmp_path / "elsewhere")
    code, said = fetched(hub, tmp_path)
    assert code == 2
    assert re.search(r"model\.safetensors: sha256 \w{16}", said)
    assert not (tmp_path / "models" / "tiny").exists()


def test_a_folder_of_another_revision_is_left_alone(hub, tmp_path):
    out = tmp_path / "models" / "tiny"
    out.mkdir(parents=True)
    (out / "mine.bin").write_text("x")
    code, said = fetched(hub, tmp_path)
    assert code == 2
    assert "not filled from owner/tiny" in said
    assert [file.name for file in out.iterdir()] == ["mine.bin"]


def test_the_command_fetches_a_benchmark_and_says_where_the_others_are(tmp_path):
    source = data_of(BENCHMARKS["refsegrs"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("RefSegRS/output_phrase_train.txt", "1 road\n")
    repos = {(f"datasets/{source.repo}", source.revision): {"RefSegRS.zip": packed.getvalue()}}
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    command = [sys.executable, "-m", "geomag", "fetch", "--data", "refsegrs", "--data", "rrsis_d"]
    with serving(Hub(repos)) as hub:
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment(hub, tmp_path / "home"),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data/refsegrs/RefSegRS/output_phrase_train.txt").read_text() == "1 road\n"
    assert "rrsis_d: https://github.com/Lsan2401/RMSIN (DIOR: research use" in done.stdout
    assert done.stdout.rstrip().endswith("by you, into data: rrsis_d")


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt"])
def test_an_archive_that_would_write_elsewhere_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(AnnotationError, match="may leave"):
        unpack(tmp_path / "x.zip", tmp_path / "into")
    assert not any((tmp_path / "into").iterdir())


def test_every_source_is_a_whole_commit_and_every_benchmark_says_where_it_is():
    pinned = [source for profile in WEIGHTS.values() for source in profile.values()]
    pinned += [source for spec in BENCHMARKS.values() if (source := data_of(spec)) is not None]
    assert all(re.fullmatch(r"[0-9a-f]{40}", source.revision) for source in pinned)
    assert all(source.licence for source in pinned)
    assert LLAVA_INTERLEAVE in pinned
    assert SAM2_BASE_PLUS in pinned
    for spec in BENCHMARKS.values():
        assert where(spec).startswith(f"{spec.name}: https://")
        assert spec.licence in where(spec)
