"""The whole record: whole at first, and for each planted break the link that it broke."""

import shutil
import subprocess
import sys

import pytest

from geomag.errors import GeoMagError
from geomag.evaluate.verify.walk import verify
from geomag.io import read_json
from geomag.tracking.store import Store
from tests.evaluate.promotion_cases import BENCHMARK
from tests.evaluate.verify.cases import (
    ANSWERS,
    RECORDS,
    SCORE,
    edit_lock,
    git,
    recorded_line,
    tracked_line,
)

OTHER = "0" * 32
KINDS = [
    "lock", "data", "training", "weights", "predictions", "scores", "table", "code", "settings",
    "runs", "registry",
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return recorded_line(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def whole_tracked(tmp_path_factory, empty_store):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return tracked_line(tmp_path_factory.mktemp("whole_tracked"), empty_store)


@pytest.fixture
def line(whole, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return shutil.copytree(whole, tmp_path / "line")


@pytest.fixture
def tracked(whole_tracked, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return shutil.copytree(whole_tracked, tmp_path / "line")


def flip(root, path):
    """Another last byte."""
    file = root / path
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def other_out(stage):
    def change(root):
        edit_lock(root, lambda stages: stages[stage]["outs"][0].update(md5=OTHER))

    return change


def other_pointer(root):
    (root / "data.dvc").write_text(f"outs:\n- md5: {OTHER}.dir\n  path: data\n")


def other_base(root):
    marker = root / "artifacts/models/adapter/complete.json"
    base = read_json(marker)["base"]
    marker.write_text(marker.read_text().replace(base, "f" * 16))


PICTURE = f"data/{BENCHMARK}/images"
BREAKS = {
    "a byte of the answers": (lambda r: flip(r, ANSWERS), "predictions", ANSWERS),
    "a byte of the weights": (
        lambda r: flip(r, "artifacts/models/adapter/weights.txt"),
        "weights", "artifacts/models/adapter/weights.txt",
    ),
    "a byte of the pinned weights": (
        lambda r: flip(r, "pretrained/model.safetensors"),
        "weights", "pretrained/model.safetensors",
    ),
    "the base that an adapter names": (
        other_base, "weights", "artifacts/models/adapter/complete.json",
    ),
    "a byte of a test picture": (
        lambda r: flip(r, picture(r)), "data", f"data/{BENCHMARK}/",
    ),
    "a byte of the records": (lambda r: flip(r, RECORDS), "data", f"artifacts/records/{BENCHMARK}"),
    "a digit of a score": (
        lambda r: (r / SCORE).write_text((r / SCORE).read_text().replace("0.667", "0.767")),
        "scores", SCORE,
    ),
    "a digit of a table": (
        lambda r: flip(r, "artifacts/report/tables.md"), "table", "artifacts/report",
    ),
    "a line of a module": (
        lambda r: (r / "lib/model.py").write_text("x = 1\n"), "code", "lib/model.py",
    ),
    "a module that is gone": (lambda r: (r / "lib/score.py").unlink(), "code", "lib/score.py"),
    "a setting": (
        lambda r: (r / "profile.yaml").write_text("train: {lr: 0.2, steps: 3}\n"),
        "settings", "profile.yaml, train.lr",
    ),
    "the lock's md5 of the answers": (
        other_out(f"predict@{BENCHMARK}-magcrop"), "predictions", ANSWERS,
    ),
    "the lock's md5 of the adapter": (
        other_out("train"), "lock", f"dvc.lock, stage predict@{BENCHMARK}-magcrop",
    ),
    "the lock's md5 of the score": (other_out(f"score@{BENCHMARK}"), "scores", SCORE),
    "a stage of the lock that is gone": (
        lambda r: edit_lock(r, lambda stages: stages.pop(f"predict@{BENCHMARK}-magcrop")),
        "lock", "dvc.lock",
    ),
    "the md5 in data.dvc": (other_pointer, "data", "data.dvc"),
}  # fmt: skip
"""What is done to the line, the link that breaks first, and the place that is named."""


def picture(root):
    first = min(path for path in (root / "data" / BENCHMARK).rglob("*") if path.is_file())
    return first.relative_to(root).as_posix()


def states(found):
    (row,) = found.rows
    return {one.kind: one.state for one in row.links}


def test_a_whole_record_holds_for_every_cell_with_mlflow_not_asked(line):
    found = verify(line, runs=False)
    assert found.first_broken is None
    (row,) = found.rows
    assert (row.benchmark, row.arm, len(row.cells)) == (BENCHMARK, "magcrop", 2)
    assert states(found) == {**dict.fromkeys(KINDS, "ok"), "runs": "absent", "registry": "absent"}


@pytest.mark.parametrize("planted", BREAKS)
def test_a_planted_break_names_its_link_and_its_place(line, planted):
    plant, kind, place = BREAKS[planted]
    plant(line)
    row, link = verify(line, runs=False).first_broken
    assert (row.benchmark, link.kind) == (BENCHMARK, kind)
    assert place in link.finding.place
    assert link.finding.found
    assert link.finding.wanted
    assert link.finding.remedy


def test_a_changed_picture_is_named_with_both_md5s(line):
    changed = picture(line)
    flip(line, changed)
    _, link = verify(line, runs=False).first_broken
    assert link.finding.place == changed
    assert link.finding.wanted.endswith("which data.dvc tracks")
    assert link.finding.found != link.finding.wanted


def test_a_fresh_clone_lacks_files_and_breaks_nothing(line):
    for folder in ("data", "artifacts/models", "artifacts/predictions", "artifacts/report"):
        shutil.rmtree(line / folder)
    found = verify(line)
    assert found.first_broken is None
    assert {kind for kind, state in states(found).items() if state == "ok"} == {
        "lock", "code", "settings",
    }  # fmt: skip
    assert not (line / "mlflow").exists()
    by_kind = {one.kind: one for one in found.rows[0].links}
    assert "no MLflow store" in str(by_kind["runs"].finding)
    assert "dvc checkout" in str(by_kind["weights"].finding)


def test_a_folder_that_is_no_project_and_one_without_a_record_are_refused(tmp_path):
    with pytest.raises(GeoMagError, match=r"no dvc\.yaml"):
        verify(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(GeoMagError, match=r"dvc\.lock: no stage has answered .* dvc repro"):
        verify(tmp_path)


@pytest.mark.integration
def test_a_whole_record_holds_in_mlflow_and_the_registry_too(tracked):
    found = verify(tracked)
    assert found.first_broken is None
    # the classifier's stage keeps no run, so that none is missing
    assert states(found) == dict.fromkeys(KINDS, "ok")


@pytest.mark.integration
def test_a_base_without_a_run_is_absent_unless_it_only_pins_pretrained_weights(tracked):
    (model,) = client(tracked).search_logged_models(
        [e.experiment_id for e in client(tracked).search_experiments()], "name = 'base'"
    )
    client(tracked).delete_logged_model(model.model_id)
    assert states(verify(tracked)) == dict.fromkeys(KINDS, "ok")
    (tracked / "artifacts/models/base/manifest.json").unlink()
    runs = next(one for one in verify(tracked).rows[0].links if one.kind == "runs")
    assert runs.state == "absent"
    assert str(runs.finding).startswith("MLflow has no run that trained base of md5 ")


def set_run_tag(key, value):
    def change(root):
        (scored,) = Store(root).search(["score"], "", [], 10)
        client(root).set_tag(scored.info.run_id, key, value)

    return change


def client(root):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{root / 'mlflow' / 'mlflow.db'}")


def other_model_tag(root):
    (model,) = client(root).search_logged_models(
        [e.experiment_id for e in client(root).search_experiments()], "name = 'adapter'"
    )
    client(root).set_logged_model_tags(model.model_id, {"dvc.md5": OTHER})


def later_code(root):
    """A commit with other code, to which the tag is moved."""
    (root / "lib" / "score.py").write_text("x = 1\n")
    git(root, "commit", "-q", "-am", "other code")
    later = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.strip()
    git(root, "reset", "-q", "--hard", "HEAD~1")
    set_run_tag("git.commit", later)(root)


def champion_file(root):
    (kept,) = (root / "artifacts" / "champion").rglob("magcrop.jsonl")
    flip(root, kept.relative_to(root))


def other_version_tag(root):
    client(root).set_model_version_tag("geomag", "1", "dvc.md5.adapter", OTHER)


MLFLOW_BREAKS = {
    "the answers that a run names": (
        set_run_tag("predictions.sha256", "0" * 64), "runs", "tag predictions.sha256",
    ),
    "the adapter that a run names": (
        set_run_tag("dvc.md5.adapter", OTHER), "runs", "tag dvc.md5.adapter",
    ),
    "the arm that a run names": (set_run_tag("arm", "plain"), "runs", "tag arm"),
    "a commit that does not exist": (
        set_run_tag("git.commit", "c0ffee" * 6), "runs", "tag git.commit",
    ),
    "a commit of other code": (later_code, "runs", "tag git.commit"),
    "the version that a logged model names": (
        other_model_tag, "runs", "MLflow, trained adapter, tag dvc.md5",
    ),
    "the adapter that the champion names": (
        other_version_tag, "registry", "version 1, tag dvc.md5.adapter",
    ),
    "the champion's answers": (champion_file, "registry", "artifacts/champion/"),
}  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("planted", MLFLOW_BREAKS)
def test_a_break_planted_in_mlflow_names_its_link_and_its_tag(tracked, planted):
    plant, kind, place = MLFLOW_BREAKS[planted]
    plant(tracked)
    _, link = verify(tracked).first_broken
    assert (link.kind, place in link.finding.place) == (kind, True), link.finding


@pytest.mark.integration
def test_another_test_set_than_the_champions_breaks_the_registry_link_too(tracked):
    flip(tracked, picture(tracked))
    found = verify(tracked)
    assert found.first_broken[1].kind == "data"
    assert states(found)["registry"] == "broken"


@pytest.mark.integration
def test_the_command_ends_with_0_with_1_and_the_link_or_with_2(line, tmp_path):
    def geomag(root, *arguments):
        command = [sys.executable, "-m", "geomag", "verify", *arguments]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    done = geomag(line, "--json", "verified.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"{BENCHMARK} magcrop: 2 table cells\n  lock        ok\n")
    assert read_json(line / "verified.json")["is_whole"]
    flip(line, ANSWERS)
    broken = geomag(line, "--no-runs")
    assert broken.returncode == 1
    last = broken.stdout.splitlines()[-1]
    assert last.startswith(f"first broken link: predictions of {BENCHMARK} magcrop: {ANSWERS}: ")
    assert "Remedy: dvc checkout" in last
    (tmp_path / "elsewhere").mkdir()
    refused = geomag(tmp_path / "elsewhere")
    assert refused.returncode == 2
    assert "no dvc.yaml" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_it_imports_no_torch():
    said = (
        "import sys; import geomag.evaluate.verify.walk; print('torch' in sys.modules,"
        "'mlflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
