"""Answers without ids of ours: by question and truth, twins counted, strangers refused."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from geomag.data.benchmarks import Split, Task
from geomag.data.records import Record
from geomag.errors import PredictionError
from geomag.evaluate.importers.formats import convert
from geomag.io import read_json, read_jsonl
from geomag.metrics.vqa import is_right

REAL = Path(os.environ.get("GEOMAG_REAL_DATA", "../shared/real"))
QUESTIONS = REAL / "rsvqa_lr" / "test_qa.json"
EARTHDIAL = REAL / "predictions" / "earthdial_rsvqa_lr_raw.jsonl"


def record(name: str, text: str, answer: str, kind: str = "presence") -> Record:
    return Record(
        benchmark="rsvqa_lr", id=name, split=Split.TEST, task=Task.VQA, image=f"{name}.tif",
        width=1, height=1, text=text, answers=(answer,), kind=kind,
    )  # fmt: skip


RECORDS = (
    record("7", "Is there a road?", "yes"),
    record("8", "Is there a road?", "no"),
    record("9", "Is there a road?", "yes"),
    record("10", "Is it a rural or an urban area", "urban"),
)


def converted(tmp_path, name, source, records=RECORDS):
    done = convert(name, source, tmp_path / "ours.jsonl", records)
    return done, {row["id"]: row["text"] for row in read_jsonl(tmp_path / "ours.jsonl")}


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def earthdial(question: str, truth: str, answer: str) -> dict[str, str]:
    asked = f"[hr_rgb_0.5] <image>\\n {question} Answer the question using a single word."
    return {"question": asked, "annotation": truth, "answer": answer, "vqa_type": "presence"}


def test_earthdials_frame_is_taken_off_and_twins_are_dealt_in_order(tmp_path):
    source = lines(
        tmp_path / "raw.jsonl",
        earthdial("Is there a road?", "yes", "first"),
        earthdial("Is it a rural or an urban area", "urban", "urban"),
        earthdial("Is there a road?", "no", "no"),
        earthdial("Is there a road?", "yes", "second"),
    )
    done, texts = converted(tmp_path, "earthdial", source)
    assert texts == {"7": "first", "8": "no", "9": "second", "10": "urban"}
    assert (done.matches.n_by_id, done.matches.n_unique, done.matches.n_ambiguous) == (0, 2, 2)


def test_a_question_of_no_record_is_refused_with_its_row(tmp_path):
    source = lines(tmp_path / "raw.jsonl", earthdial("Is there a lake?", "yes", "yes"))
    with pytest.raises(PredictionError, match=r"row 1: 'Is there a lake\?'.*no record"):
        converted(tmp_path, "earthdial", source)


def test_more_answers_than_records_are_refused(tmp_path):
    twice = earthdial("Is there a road?", "no", "no")
    source = lines(tmp_path / "raw.jsonl", twice, twice)
    with pytest.raises(PredictionError, match=r"row 2: .*all 1 records with it are taken"):
        converted(tmp_path, "earthdial", source)


def test_rows_without_ids_ask_for_the_benchmark(tmp_path):
    source = lines(tmp_path / "raw.jsonl", earthdial("Is there a road?", "no", "no"))
    with pytest.raises(PredictionError, match="--benchmark NAME"):
        converted(tmp_path, "earthdial", source, None)


def test_lmms_eval_by_its_documents_id_or_by_question_and_target(tmp_path):
    source = lines(
        tmp_path / "samples.jsonl",
        {"doc_id": 0, "doc": {"question_id": 9}, "target": "yes", "filtered_resps": ["Yes"]},
        {"doc_id": 1, "doc": {"question": "is there a road"}, "target": "No", "resps": [["no"]]},
    )
    done, texts = converted(tmp_path, "lmms-eval", source)
    assert texts == {"9": "Yes", "8": "no"}
    assert (done.matches.n_by_id, done.matches.n_unique) == (1, 1)


@pytest.mark.parametrize("kind", ["tsv", "json"])
def test_vlmevalkit_by_question_and_answer(tmp_path, kind):
    row = {"index": "0", "question": "Is there a road?", "answer": "no", "prediction": "No."}
    source = tmp_path / f"model.{kind}"
    table = "\t".join(row) + "\n" + "\t".join(row.values()) + "\n"
    source.write_text(table if kind == "tsv" else json.dumps([row]))
    assert converted(tmp_path, "vlmevalkit", source)[1] == {"8": "No."}


def test_vlmevalkits_spreadsheet_is_refused_with_the_setting_to_change(tmp_path):
    (tmp_path / "model.xlsx").touch()
    with pytest.raises(PredictionError, match="PRED_FORMAT=tsv"):
        converted(tmp_path, "vlmevalkit", tmp_path / "model.xlsx")


@pytest.mark.skipif(
    not (QUESTIONS.is_file() and EARTHDIAL.is_file()),
    reason=f"EarthDial's answers are not at {REAL} (GEOMAG_REAL_DATA)",
)
def test_earthdials_raw_file_gives_its_published_verdicts(tmp_path):
    asked = [row for row in read_json(QUESTIONS) if row["type"] != "count"]
    records = [
        record(str(row["question_id"]), row["question"], row["answer"], row["type"])
        for row in asked
    ]
    rows = (row for row in read_jsonl(EARTHDIAL) if row["vqa_type"] != "count")
    done, texts = converted(tmp_path, "earthdial", lines(tmp_path / "raw.jsonl", *rows), records)
    right = Counter(one.kind for one in records if is_right(texts[one.id], one.answers[0]))
    assert right == {"presence": 2736, "comp": 3712, "rural_urban": 94}
    assert done.n_rows == 2955 + 4002 + 100
