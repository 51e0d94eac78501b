"""Every verb with a broken file of each kind: exit code 2, the file named, no traceback."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geomag.data.records import write_records
from tests.cli.broken import KINDS, geomag
from tests.data.conftest import RrsisDrop, RrsisTree
from tests.evaluate.score.cases import record, square

CASES = Path(__file__).parents[1] / "cases"
SCORE = ["score", "rrsis_d", "p.jsonl", "--records", "records.jsonl"]
COMPARE = ["compare", "p.jsonl", "q.jsonl", "--benchmark", "rrsis_d", "--records", "records.jsonl"]
OWN = ["--layout", "rrsis_d", "--out", "own"]
CELL = "1/rrsis_d/test/magcrop/mean_iou"

VERBS = {
    "doctor, params": (["doctor"], "params.yaml"),
    "doctor, profile": (["doctor", "--profile", "mine.yaml"], "mine.yaml"),
    "data check, annotations": (["data", "check", "rrsis_d"], "data/rrsis_d/rrsisd/instances.json"),
    "data check, refs": (["data", "check", "rrsis_d"], "data/rrsis_d/rrsisd/refs(unc).p"),
    "data check, own marker": (["data", "check", "rrsis_d"], "data/rrsis_d/OWN.json"),
    "data validate": (["data", "validate", "rrsis_d"], "data/rrsis_d/rrsisd/instances.json"),
    "data validate, params": (["data", "validate", "rrsis_d"], "params.yaml"),
    "data leakage": (
        ["data", "leakage", "rrsis_d", "--records", "artifacts/records"],
        "artifacts/records/rrsis_d/records.jsonl",
    ),
    "data add": (
        ["data", "add", "drop", "--benchmark", "rrsis_d"], "drop/rrsisd/instances.json",
    ),
    "data add, lock of DVC": (["data", "add", "drop", "--benchmark", "rrsis_d"], ".dvc/tmp/rwlock"),
    "data own, CSV": (["data", "own", "boxes.csv", *OWN], "boxes.csv"),
    "data own, XML": (["data", "own", "boxes.xml", *OWN], "boxes.xml"),
    "data sample, params": (["data", "sample"], "params.yaml"),
    "train base": (["train", "base"], "params.yaml"),
    "train granularity": (["train", "granularity"], "params.yaml"),
    "train model": (["train", "model"], "params.yaml"),
    "crops": (["crops", "rrsis_d"], "params.yaml"),
    "predict": (["predict", "rrsis_d"], "params.yaml"),
    "score, predictions": (SCORE, "p.jsonl"),
    "score, records": (SCORE, "records.jsonl"),
    "score, profile": ([*SCORE, "--profile", "mine.yaml"], "mine.yaml"),
    "compare": (COMPARE, "q.jsonl"),
    "convert jsonl": (["convert", "jsonl", "theirs", "o.jsonl"], "theirs"),
    "convert coco": (["convert", "coco", "theirs", "o.jsonl"], "theirs"),
    "convert csv": (["convert", "csv", "theirs", "o.jsonl"], "theirs"),
    "convert geochat-bench": (["convert", "geochat-bench", "theirs", "o.jsonl"], "theirs"),
    "convert earthdial": (["convert", "earthdial", "theirs", "o.jsonl"], "theirs"),
    "convert lmms-eval": (["convert", "lmms-eval", "theirs", "o.jsonl"], "theirs"),
    "convert vlmevalkit": (["convert", "vlmevalkit", "theirs.json", "o.jsonl"], "theirs.json"),
    "convert glamm": (["convert", "glamm", "gcg", "o.jsonl"], "gcg/a.json"),
    "report": (["report", "--scores", "scores", "--no-pictures"], "scores/rrsis_d.json"),
    "trace": (["trace", CELL, "--no-runs"], "artifacts/report/cells.json"),
    "verify": (["verify", "--no-runs"], "artifacts/report/cells.json"),
    "reproduce": (["reproduce", CELL], "artifacts/report/cells.json"),
    "runs": (["runs", "mine"], "mlflow/views/mine.yaml"),
    "promote": (["promote"], "params.yaml"),
    "ask": (["ask", "picture.png", "Is a dam present?"], "params.yaml"),
    "ask, picture": (["ask", "broken.tif", "Is a dam present?"], "broken.tif"),
    "magcrop": (["magcrop", "broken.tif", "a dam", "--out", "looked"], "broken.tif"),
}  # fmt: skip
"""Command line and the file of it that is broken."""


@pytest.fixture
def project(tmp_path) -> Path:
    root = tmp_path / "project"
    RrsisTree(root / "data" / "rrsis_d").write()
    RrsisDrop(root / "drop").write()
    for folder in (".dvc/tmp", "gcg", "scores", "mlflow/views", "artifacts/report"):
        (root / folder).mkdir(parents=True)
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "params.yaml").write_text("profile: sample\n")
    mask = square((0, 4), (0, 4), size=20)
    rows = [record("rrsis_d", "3", width=20, height=20, masks=(mask,))]
    for place in (root / "records.jsonl", root / "artifacts/records/rrsis_d/records.jsonl"):
        write_records(place, rows)
    for name in ("p.jsonl", "q.jsonl"):
        (root / name).write_text(json.dumps({"id": "3", "masks": [mask]}) + "\n")
    Image.fromarray(np.zeros((30, 30, 3), dtype=np.uint8)).save(root / "picture.png")
    return root


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", VERBS)
def test_a_broken_file_is_named_with_exit_code_2(project, monkeypatch, verb, kind):
    arguments, file = VERBS[verb]
    (project / file).parent.mkdir(parents=True, exist_ok=True)
    (project / file).write_bytes(KINDS[kind])
    monkeypatch.delenv("GEOMAG_PROFILE", raising=False)
    code, said = geomag(project, *arguments, monkeypatch=monkeypatch)
    assert (code, Path(file).name in said) == (2, True), said[-2000:]


@pytest.mark.parametrize(
    ("case", "verb", "said"),
    [
        ("bad.yaml", ["doctor", "--profile", "bad.yaml"], "bad.yaml, line 2: not YAML"),
        ("notutf8.jsonl", ["score", "rrsis_d", "notutf8.jsonl"],
         "line 1, byte 0: not UTF-8 (0xff)"),
        ("own_blank_label.csv", ["data", "own", "own_blank_label.csv", *OWN],
         "own_blank_label.csv, line 4: no picture or no label"),
        ("own_unknown_encoding.xml", ["data", "own", "own_unknown_encoding.xml", *OWN],
         "own_unknown_encoding.xml: not XML that can be read"),
    ],
)  # fmt: skip
def test_the_inputs_that_failed_once_are_named_by_line_or_byte(
    project, monkeypatch, case, verb, said
):
    shutil.copyfile(CASES / case, project / case)
    for name in ("a.png", "b.jpg"):
        Image.new("RGB", (80, 60)).save(project / name)
    monkeypatch.delenv("GEOMAG_PROFILE", raising=False)
    code, printed = geomag(project, *verb, monkeypatch=monkeypatch)
    assert code == 2
    assert said in printed


def test_a_byte_order_mark_is_read_over(project, monkeypatch):
    rows = (project / "p.jsonl").read_bytes()
    (project / "p.jsonl").write_bytes(b"\xef\xbb\xbf" + rows)
    code, said = geomag(project, *SCORE, monkeypatch=monkeypatch)
    assert code == 0, said
    assert "mean_iou                1.0000" in said


def test_a_cell_without_an_end_is_named_by_its_line(project, monkeypatch):
    long = 'id,text\n1,yes\n2,"' + "x" * 200_000
    (project / "theirs.csv").write_text(long)
    code, said = geomag(project, "convert", "csv", "theirs.csv", "o", monkeypatch=monkeypatch)
    assert code == 2
    assert "theirs.csv, line 3: not CSV (field larger than field limit (131072))" in said
    assert "a quote that is not closed" in said
