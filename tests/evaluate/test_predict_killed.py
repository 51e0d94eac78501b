"""`kill -9` of `geomag predict`: nothing stands in the way afterwards, and little is made again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from multiprocessing import Process, get_context
from pathlib import Path

import pytest

from geomag.config import load_profile
from geomag.evaluate.predict import Predictor, Source, predict_benchmark
from geomag.evaluate.predictions.plan import Shard
from geomag.evaluate.predictions.shards import merge_shards
from tests.evaluate.sixty import N_BATCHES, write_sixty

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("GEOMAG_TEST_KILLS", "3"))
"""Kills at random moments; ten were tried by hand (docs/performance.md)."""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    write_sixty(root, pictures=root, records=root / "records.jsonl")
    return root


def geomag(root: Path, *arguments: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GEOMAG_PROFILE": str(root / "tiny.yaml")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(
        [sys.executable, "-m", "geomag", *arguments], cwd=root, env=environment, **pipes
    )


def predict(root: Path) -> subprocess.Popen:
    options = ["--arm", "magcrop", "--data", ".", "--records", "records.jsonl"]
    return geomag(root, "predict", "rrsis_d", *options, "--out", "arms/magcrop.jsonl")


def test_f28_a_killed_prediction_leaves_no_arm_and_the_next_one_goes_on(project, undisturbed):
    arms = project / "arms"
    killed = predict(project)
    while killed.poll() is None and not list(arms.glob(".*")):
        time.sleep(0.001)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL, killed.stdout.read()
    assert [path.name for path in arms.iterdir()] == [".magcrop.jsonl.partial"]

    rest = [f'{{"id": "{i}", "masks": []}}\n' for i in range(60)]
    (arms / "plain.jsonl").write_text("".join(rest))
    score = ["score", "rrsis_d", "arms", "--records", "records.jsonl"]
    early = geomag(project, *score)
    said = early.communicate()[0]
    assert early.returncode == 2
    assert "files ['plain']. Wanted: magcrop.jsonl among them" in said

    again = predict(project)
    said = again.communicate()[0]
    assert again.returncode == 0, said
    assert (arms / "magcrop.jsonl").read_bytes() == undisturbed
    assert sorted(path.name for path in arms.iterdir()) == ["magcrop.jsonl", "plain.jsonl"]
    done = geomag(project, *score)
    said = done.communicate()[0]
    assert done.returncode == 0, said
    heads = [line for line in said.splitlines() if line.startswith("rrsis_d ")]
    assert [line.split(":")[0] for line in heads] == [
        "rrsis_d test, magcrop",
        "rrsis_d test, plain",
    ]


def in_process(root: Path, out: Path, *, dies_after: int | None = None, **part) -> None:
    """Predict to ``out``; each batch is noted in ``computed``, and the process may kill itself."""
    noted = out.parent / "computed"

    class Noting(Predictor):
        def answer(self, batches):
            for number, rows in enumerate(super().answer(batches)):
                if number == dies_after:
                    os.kill(os.getpid(), signal.SIGKILL)
                with noted.open("a") as file:
                    file.write("batch\n")
                yield rows

    source = Source("rrsis_d", root, root / "records.jsonl", root / "heat", is_line=False, **part)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geomag.evaluate.predict.Predictor", Noting)
        predict_benchmark(
            source,
            "magcrop",
            load_profile(str(root / "tiny.yaml")),
            artifacts=root / "artifacts",
            out=out,
            log=lambda _: None,
        )


def forked(*arguments, **options) -> Process:
    """The same in a process of its own, which has loaded all libraries already."""
    process = get_context("fork").Process(target=in_process, args=arguments, kwargs=options)
    process.start()
    return process


def computed(folder: Path) -> int:
    noted = folder / "computed"
    return len(noted.read_text().splitlines()) if noted.exists() else 0


@pytest.fixture(scope="module")
def undisturbed(project, tmp_path_factory) -> bytes:
    out = tmp_path_factory.mktemp("undisturbed") / "magcrop.jsonl"
    in_process(project, out)
    assert computed(out.parent) == N_BATCHES
    return out.read_bytes()


@pytest.mark.parametrize("dies_after", [1, N_BATCHES - 1])
def test_killed_in_a_batch_the_next_run_ends_in_the_same_bytes(
    project, undisturbed, tmp_path, dies_after
):
    out = tmp_path / "magcrop.jsonl"
    killed = forked(project, out, dies_after=dies_after)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert computed(tmp_path) == dies_after, "what is noted is written before the next batch"
    in_process(project, out)
    assert out.read_bytes() == undisturbed
    assert [path.name for path in tmp_path.iterdir() if path.name != "computed"] == [out.name]
    assert computed(tmp_path) == N_BATCHES


def test_killed_at_random_moments_at_most_a_batch_a_kill_is_made_again(
    project, undisturbed, tmp_path, record_property
):
    out, draw, kills = tmp_path / "magcrop.jsonl", random.Random(), 0
    begun = time.monotonic()
    in_process(project, tmp_path / "timed.jsonl")
    seconds = time.monotonic() - begun
    already = computed(tmp_path)
    for _ in range(KILLS):
        running = forked(project, out)
        time.sleep(draw.uniform(0, seconds))
        running.kill()
        running.join()
        if running.exitcode == 0:
            break
        kills += 1
    if not out.exists():
        in_process(project, out)
    again = computed(tmp_path) - already - N_BATCHES
    record_property("kills", kills)
    record_property("batches made again", again)
    assert out.read_bytes() == undisturbed
    assert 0 <= again <= kills


def test_shards_are_the_bytes_of_one_pass_and_one_goes_on_when_killed(
    project, undisturbed, tmp_path
):
    files = [tmp_path / f"magcrop.{number}-of-2.shard" for number in (1, 2)]
    killed = forked(project, files[0], dies_after=2, shard=Shard(1, 2))
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    for number, file in enumerate(files, start=1):
        in_process(project, file, shard=Shard(number, 2))
    assert computed(tmp_path) == N_BATCHES
    assert merge_shards(files, tmp_path / "magcrop.jsonl") == 60
    assert (tmp_path / "magcrop.jsonl").read_bytes() == undisturbed


def test_the_whole_takes_finished_shards_and_makes_what_is_missing(project, undisturbed, tmp_path):
    finished = tmp_path / "finished"
    finished.mkdir()
    in_process(project, finished / "magcrop.2-of-3.shard", shard=Shard(2, 3))
    in_process(project, tmp_path / "magcrop.jsonl", finished=finished)
    made = computed(finished)
    assert 0 < made < N_BATCHES
    assert computed(tmp_path) == N_BATCHES - made
    assert (tmp_path / "magcrop.jsonl").read_bytes() == undisturbed
    assert [path.name for path in finished.iterdir()] == ["computed"], "used up"


def test_a_limit_takes_the_first_records_and_is_no_part_of_the_whole(project, tmp_path):
    in_process(project, tmp_path / "few.jsonl", limit=5)
    rows = [json.loads(line) for line in (tmp_path / "few.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["0", "3", "6", "9", "12"]
