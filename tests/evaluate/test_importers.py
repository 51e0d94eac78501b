"""Other projects' files: what becomes of a row, and what is refused."""

import json

import pytest

from geomag.errors import AnnotationError, PredictionError
from geomag.evaluate.importers.formats import convert
from geomag.evaluate.score.inputs import Prediction, read_predictions
from tests.evaluate.score.cases import square


def test_geochat_bench_answers(tmp_path):
    source = tmp_path / "a.jsonl"
    rows = [
        {"question_id": 12, "image_id": "3.tif", "answer": "Yes", "ground_truth": "no"},
        {"question_id": "Park/park_1.jpg", "answer": "park"},
    ]
    source.write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert convert("geochat-bench", source, tmp_path / "p.jsonl") == 2
    assert read_predictions(tmp_path / "p.jsonl") == {
        "12": Prediction("Yes", extra={"image_id": "3.tif"}),
        "Park/park_1.jpg": Prediction("park"),
    }
    source.write_text('{"id": 1}\n')
    with pytest.raises(
        PredictionError, match=r"line 1: keys \['id'\]. Wanted: question_id and one"
    ):
        convert("geochat-bench", source, tmp_path / "p.jsonl")


def test_glamm_folders(tmp_path):
    folder = tmp_path / "gcg"
    folder.mkdir()
    mask = square((0, 2), (0, 2))
    row = {"image_id": "P1_0.png", "caption": "a ship", "phrases": ["ship"], "pred_masks": [mask]}
    (folder / "P1_0.json").write_text(json.dumps(row))
    assert convert("glamm", folder, tmp_path / "p.jsonl") == 1
    found = read_predictions(tmp_path / "p.jsonl")
    assert found == {"P1_0": Prediction("a ship", (mask,), ("ship",))}
    (folder / "b.json").write_text("[]")
    with pytest.raises(PredictionError, match=r"b\.json: other keys"):
        convert("glamm", folder, tmp_path / "p.jsonl")
    with pytest.raises(PredictionError, match=r"no \.json file in it"):
        convert("glamm", tmp_path / "absent", tmp_path / "p.jsonl")


def test_csv_tables(tmp_path):
    source = tmp_path / "a.csv"
    source.write_bytes('\ufeffid,text,note\r\n1,"yes, ""sir""",x\r\n2,no,\r\n'.encode())
    assert convert("csv", source, tmp_path / "p.jsonl") == 2
    assert read_predictions(tmp_path / "p.jsonl") == {
        "1": Prediction('yes, "sir"', extra={"note": "x"}),
        "2": Prediction("no", extra={"note": ""}),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,text\na,b\n", r"columns \['name', 'text'\]. Wanted: the columns id, text"),
        ("id,text\n1,yes,no\n", "line 2: another number of cells"),
        ("id,text\n1\n", "line 2: another number of cells"),
    ],
)
def test_csv_tables_that_do_not_fit_are_named(tmp_path, text, said):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(AnnotationError, match=said):
        convert("csv", tmp_path / "a.csv", tmp_path / "p.jsonl")
    assert not (tmp_path / "p.jsonl").exists()


def test_an_unknown_format_lists_the_known_ones(tmp_path):
    with pytest.raises(PredictionError, match=r"'coco'\. Wanted: one of csv, geochat-bench, glamm"):
        convert("coco", tmp_path, tmp_path / "p.jsonl")
