"""Lineage of a table cell: every link, links that broke, runs, and cells that do not exist."""

import json
import shutil
import subprocess
import sys

import pytest
import yaml

from geomag.errors import GeoMagError
from geomag.evaluate.trace import UnknownCellError, trace
from geomag.io import file_digest, read_json
from geomag.tracking import log_scores, run, sync
from geomag.tracking.lineage import find_runs
from geomag.versions import path_md5
from tests.conftest import copy_store
from tests.evaluate.promotion_cases import BENCHMARK, answer, make_line, md5

CELL = f"3/{BENCHMARK}/test/magcrop/average"
CODE = {"git.commit": "c0ffee", "git.dirty": "false"}


@pytest.fixture
def line(tmp_path, monkeypatch):
    """A line with one score file, one cell, and ``dvc.lock``'s entry of the score."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root = make_line(tmp_path)
    answer(root, "one", lambda i: i % 3 > 0)
    score = root / "artifacts" / "scores" / f"{BENCHMARK}.json"
    score.parent.mkdir()
    score.write_text("{}")
    lock = yaml.safe_load((root / "dvc.lock").read_text())
    outs = [{"path": f"artifacts/scores/{BENCHMARK}.json", "md5": md5("{}")}]
    lock["stages"][f"score@{BENCHMARK}"] = {"cmd": "score", "outs": outs}
    (root / "dvc.lock").write_text(yaml.safe_dump(lock))
    cell = {
        "id": CELL, "value": 66.7, "low": 60.0, "high": 70.0, "n_records": 480,
        "profile": "sample", "score_file": score.name, "score_sha256": file_digest(score),
        "predictions_sha256": file_digest(answers(root)),
    }  # fmt: skip
    cells = root / "artifacts" / "report" / "cells.json"
    cells.parent.mkdir()
    cells.write_text(json.dumps([cell, {**cell, "id": CELL.replace("average", "presence")}]))
    return root


def answers(root):
    return root / "artifacts" / "predictions" / BENCHMARK / "magcrop.jsonl"


def test_a_cell_names_answers_weights_data_and_code(line):
    found = trace(CELL, line, code=CODE)
    assert found.problems == ()
    assert found.scores.md5 == md5("{}")
    assert found.predictions.sha256 == file_digest(answers(line))
    assert found.predictions.md5 == file_digest(answers(line), "md5")
    assert found.models == {
        "adapter": md5("adapter one") + ".dir",
        "decoder": md5("decoder one") + ".dir",
        "base": md5("base") + ".dir",
        "granularity": md5("granularity") + ".dir",
    }
    assert found.data == found.training
    assert found.data[f"data/{BENCHMARK}"] == path_md5(line / "data" / BENCHMARK)
    assert found.code == CODE


def test_an_unknown_cell_lists_the_nearest(line):
    with pytest.raises(UnknownCellError, match=CELL):
        trace(CELL.replace("average", "averge"), line, code=CODE)


def test_a_report_without_cells_says_what_to_run(line):
    (line / "artifacts" / "report" / "cells.json").write_text("[]")
    with pytest.raises(UnknownCellError, match=r"not among the 0 .* run dvc repro"):
        trace(CELL, line, code=CODE)


def test_without_a_report_the_file_is_named(line):
    (line / "artifacts" / "report" / "cells.json").unlink()
    with pytest.raises(GeoMagError, match=r"cells\.json: no such file"):
        trace(CELL, line, code=CODE)


def test_links_that_broke_are_said(line):
    answers(line).write_text(answers(line).read_text() + "\n")
    (line / "artifacts" / "scores" / f"{BENCHMARK}.json").unlink()
    gone, changed = trace(CELL, line, code=CODE).problems
    assert "is not there: dvc checkout" in gone
    assert "has changed since the report" in changed


def test_a_retrained_adapter_is_not_taken_for_the_one_that_answered(line):
    lock = yaml.safe_load((line / "dvc.lock").read_text())
    lock["stages"]["train"]["outs"][0]["md5"] = md5("later") + ".dir"
    (line / "dvc.lock").write_text(yaml.safe_dump(lock))
    found = trace(CELL, line, code=CODE)
    assert found.training == {}
    assert found.problems[0].endswith(f"dvc.lock's train made {md5('later')}.dir")


@pytest.mark.integration
def test_runs_are_found_by_the_versions_they_made_and_read(line, empty_store):
    copy_store(empty_store, line)
    adapter, data = md5("adapter one") + ".dir", path_md5(line / "data" / BENCHMARK)
    with run(stage="train", root=line) as training:
        training.log_part("adapter", md5=adapter, params={})
    protocol = {"predictions_sha256": file_digest(answers(line))}
    scores = {"metrics": {"average": 0.667}, "protocol": protocol}
    others = {**scores, "protocol": {"predictions_sha256": "0" * 64}}
    rated = {"dataset_md5": data, "model_md5": adapter, "root": line}
    log_scores(BENCHMARK, "magcrop", scores, **rated)
    # later runs on the same data: of other answers, another adapter, another version of the data
    log_scores(BENCHMARK, "magcrop", others, **rated)
    log_scores(BENCHMARK, "magcrop", scores, **{**rated, "model_md5": md5("adapter two") + ".dir"})
    log_scores(BENCHMARK, "magcrop", scores, **{**rated, "dataset_md5": "0" * 32 + ".dir"})
    assert sync(line) == 4
    runs = trace(CELL, line, code=CODE, find_runs=lambda *of: find_runs(line, *of)).runs
    assert runs["trained adapter"] == training.id
    assert runs["trained decoder"] == "no run of this version"
    first, *_ = sorted(found_runs(line), key=lambda found: found.info.start_time)
    assert runs["scored"] == first.info.run_id


def found_runs(root):
    from geomag.tracking.store import Store

    return Store(root).search(["score"], "", [], 10)


@pytest.mark.integration
def test_f37_without_mlflow_the_rest_is_told(line, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    found = trace(CELL, line, code=CODE, find_runs=lambda *of: find_runs(line, *of))
    assert list(found.runs) == ["not reachable"]
    assert found.models["adapter"]


@pytest.mark.integration
def test_the_command_prints_a_tree_writes_json_and_refuses_with_2(line):
    def geomag(*arguments):
        command = [sys.executable, "-m", "geomag", "trace", *arguments]
        return subprocess.run(command, cwd=line, capture_output=True, text=True, check=False)

    shutil.rmtree(line / "data")
    done = geomag(CELL, "--no-runs", "--json", "trace.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{CELL}: 66.70 [60.00, 70.00], 480 records")
    assert f"│  ├─ adapter      {md5('adapter one')}.dir" in done.stdout
    assert read_json(line / "trace.json")["models"]["adapter"] == md5("adapter one") + ".dir"
    refused = geomag(CELL.replace("rsvqa_lr", "rsvqa_lx"))
    assert refused.returncode == 2
    assert CELL in refused.stderr
    assert "Traceback" not in refused.stderr
