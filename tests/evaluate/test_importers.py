"""Other projects' files: what becomes of a row, and what is refused."""

import json
import shutil
from pathlib import Path

import pytest

from geomag.errors import AnnotationError, GeoMagError, PredictionError
from geomag.evaluate.importers.formats import convert
from geomag.evaluate.score.inputs import Prediction, read_predictions
from tests.evaluate.score.cases import square

CASES = Path(__file__).parents[1] / "cases"


def test_geochat_bench_answers(tmp_path):
    source = tmp_path / "a.jsonl"
    rows = [
        {"question_id": 12, "image_id": "3.tif", "answer": "Yes", "ground_truth": "no"},
        {"question_id": "Park/park_1.jpg", "answer": "park"},
    ]
    source.write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert convert("geochat-bench", source, tmp_path / "p.jsonl").n_rows == 2
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
    assert convert("glamm", folder, tmp_path / "p.jsonl").n_rows == 1
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
    assert convert("csv", source, tmp_path / "p.jsonl").n_rows == 2
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
    with pytest.raises(PredictionError, match=r"'voc'\. Wanted: one of coco, csv, earthdial"):
        convert("voc", tmp_path, tmp_path / "p.jsonl")


def written(tmp_path, name, content):
    """The rows that a format makes of a JSON value, or of a list of them as JSON Lines."""
    source = tmp_path / "theirs"
    lines = content if name == "jsonl" else [content]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "p.jsonl").unlink(missing_ok=True)
    convert(name, source, tmp_path / "p.jsonl")
    return [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]


SQUARE = square((1, 3), (1, 3), size=4)
"""Pixels 1 and 2 of both axes of a 4 x 4 picture, as ours."""


@pytest.mark.parametrize(
    "spelled",
    [
        SQUARE,
        [SQUARE],
        {**SQUARE, "size": [4.0, 4.0]},
        {**SQUARE, "counts": str(SQUARE["counts"].encode())},  # "b'...'"
        {"size": [4, 4], "counts": [5, 2, 2, 2, 5]},  # uncompressed
        [[1, 1, 3, 1, 3, 3, 1, 3]],  # polygons of one mask
        [1, 1, 3, 1, 3, 3, 1, 3],
    ],
)
def test_every_spelling_of_a_mask_is_the_same_mask(tmp_path, spelled):
    line = {"ref_id": 7, "mask": spelled, "height": 4, "width": 4}
    assert written(tmp_path, "jsonl", [line]) == [{"id": "7", "text": "", "masks": [SQUARE]}]
    found = {"image_id": 7, "segmentation": spelled, "height": 4, "width": 4, "score": 0.5}
    assert written(tmp_path, "coco", [found]) == [{"id": "7", "text": "", "masks": [SQUARE]}]


def test_detections_of_one_image_are_one_row_with_the_surest_first(tmp_path):
    other = square((0, 1), (0, 4), size=4)
    tree = [
        {"image_id": "P1", "category_id": 1, "segmentation": other, "score": 0.2},
        {"image_id": "P2", "category_id": 1, "segmentation": other, "score": 0.9},
        {"image_id": "P1", "category_id": 1, "segmentation": SQUARE, "score": 0.8},
    ]
    rows = written(tmp_path, "coco", tree)
    assert [(row["id"], row["masks"]) for row in rows] == [("P1", [SQUARE, other]), ("P2", [other])]


def test_captions_of_a_result_file_are_the_text(tmp_path):
    rows = written(tmp_path, "coco", [{"image_id": 81, "caption": "a harbour"}])
    assert rows == [{"id": "81", "text": "a harbour", "masks": []}]


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        ({"size": [4, 4], "counts": [5, 2, 2]}, "runs that cover 9 pixels. Wanted: 16 pixels"),
        ({"size": [4, 4], "counts": [17, -1]}, "Wanted: whole numbers of pixels"),
        ({"size": [4, 4], "counts": "b'5"}, 'counts "b\'5"'),
        ({"size": [10**9, 10**9], "counts": "0"}, "at most 200,000,000 pixels"),
        ({"size": ["1e400", 4], "counts": "0"}, "a finite number"),
        ([[1, 1, 3, 1]], "three or more points"),
        ([[1, 1, 1e9, 1, 3, 3]], "Wanted: pixel coordinates"),
        ("5220003", "masks '5220003'"),
    ],
)
def test_f17_a_mask_that_cannot_be_is_named(tmp_path, mask, said):
    line = {"id": "7", "mask": mask, "height": 4, "width": 4}
    with pytest.raises(GeoMagError, match="line 1") as wrong:
        written(tmp_path, "jsonl", [line])
    assert said in str(wrong.value)


def test_polygons_without_a_size_are_refused(tmp_path):
    with pytest.raises(PredictionError, match="Wanted: height and width in pixels"):
        written(tmp_path, "jsonl", [{"id": "7", "mask": [[1, 1, 3, 1, 3, 3]]}])


def test_half_a_character_is_replaced_and_counted(tmp_path):
    folder = tmp_path / "gcg"
    folder.mkdir()
    shutil.copyfile(CASES / "glamm_lone_surrogate.json", folder / "a.json")
    done = convert("glamm", folder, tmp_path / "p.jsonl")
    assert (done.n_rows, done.n_replaced) == (1, 1)
    assert json.loads((tmp_path / "p.jsonl").read_text())["text"] == "?"
