"""`geomag score` as a user meets it: table, files, messages, exit codes."""

import json
import subprocess
import sys

import pytest

from geomag.geometry import PixelBox
from geomag.io import read_json, read_jsonl
from tests.evaluate.score.cases import lay, record, square

ROWS = [
    record("refsegrs", i, masks=(square((0, 4), (0, 4)),), image=f"{i}.tif", kind="car")
    for i in range(4)
]
ANSWERS = [{"id": str(i), "masks": [square((0, 4), (i, i + 4))]} for i in range(3)]


def geomag(folder, *arguments):
    command = [sys.executable, "-m", "geomag", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


@pytest.fixture
def files(tmp_path):
    return lay(tmp_path, ROWS, ANSWERS)


def test_table_and_files(tmp_path, files):
    records, file = files
    options = ["--records", records, "--json", tmp_path / "s.json", "--samples", tmp_path / "rows"]
    options.append("--allow-missing")
    done = geomag(tmp_path, "score", "refsegrs", file, *options)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "refsegrs test, magcrop: 4 records, 4 images, 1 missing, 0 unparsed"
    assert lines[1].split() == ["metric", "value", "95", "%", "interval", "all_foreground"]
    row = next(line for line in lines if line.startswith("mean_iou"))
    assert row.split()[1] == "0.4833"  # (1 + 12/20 + 8/24 + 0) / 4
    assert row.split()[-1] == "0.1600"
    assert "do not report this" in lines[-2]
    score = read_json(tmp_path / "s.json")
    assert score["protocol"]["profile"] == "sample"
    first = (tmp_path / "s.json").read_bytes()
    geomag(tmp_path, "score", "refsegrs", file, *options)
    assert (tmp_path / "s.json").read_bytes() == first
    rows = list(read_jsonl(tmp_path / "rows" / "magcrop.samples.jsonl"))
    assert [(r["intersection"], r["union"]) for r in rows] == [(16, 16), (12, 20), (8, 24), (0, 16)]


WITHOUT_TORCH = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "peft", "mlflow"}:
            raise AssertionError(f"scoring imported {name}")

sys.meta_path.insert(0, Refuse())
from geomag.cli.main import main
main()
"""


@pytest.mark.integration
@pytest.mark.parametrize("name", ["dior_rsvg", "geopixeld", "ucm_captions"])
def test_scoring_words_that_no_cache_holds_imports_no_torch(tmp_path, name):
    mask = square((0, 4), (0, 4))
    values = {
        "dior_rsvg": {
            "answers": ("ship",),
            "kind": "ship",
            "boxes": (PixelBox(0.0, 0.0, 4.0, 4.0),),
        },
        "geopixeld": {"text": "<p> a ship </p> [SEG]", "masks": (mask,), "phrases": ("a ship",)},
        "ucm_captions": {"answers": ("A ship .", "A boat .")},
    }[name]
    said = {"id": "1", "text": "a boat", "masks": [mask], "phrases": ["a boat"]}
    records, file = lay(tmp_path, [record(name, "1", **values)], [said])
    options = ["--records", str(records), "--json", str(tmp_path / "s.json"), "--profile", "sample"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "score", name, str(file), *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = read_json(tmp_path / "s.json")["metrics"]
    if name == "dior_rsvg":
        assert 0.3 < found["semantic_similarity"] < 1  # encoded in numpy, and kept
    if name == "geopixeld":
        assert found["recall"] == 1.0
    kept = list((tmp_path / "work" / "text_vectors").glob("*.npz"))
    assert len(kept) == (0 if name == "ucm_captions" else 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"benchmark": "rrsisd"}, "benchmark: 'rrsisd'. Wanted: one of rrsis_d, refsegrs"),
        ({"split": "holdout"}, "--split: 'holdout'. Wanted: one of train, val, test"),
        ({"file": "absent.jsonl"}, "absent.jsonl: no such file. Remedy: run geomag predict"),
        ({"records": "absent.jsonl"}, "or give --data or --records"),
    ],
)
def test_wrong_input_ends_with_exit_code_2_and_one_message(tmp_path, files, change, said):
    records, file = files
    done = geomag(
        tmp_path,
        "score",
        change.get("benchmark", "refsegrs"),
        change.get("file", file),
        "--records",
        change.get("records", records),
        "--split",
        change.get("split", "test"),
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_too_many_missing_predictions_end_with_their_number_and_first_ids(tmp_path, files):
    records, file = files
    done = geomag(tmp_path, "score", "refsegrs", file, "--records", records, "--json", "s.json")
    assert done.returncode == 2
    assert "1 of 4 records of refsegrs test have no prediction, such as 3. Wanted" in done.stderr
    assert "pass --allow-missing" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "s.json").exists()
    profile = tmp_path / "mine.yaml"
    profile.write_text("name: mine\nscore: {max_missing: 0.25}\n")
    done = geomag(tmp_path, "score", "refsegrs", file, "--records", records, "--profile", profile)
    assert done.returncode == 0, done.stderr
    assert "do not report this" not in done.stdout


def test_f19_a_duplicate_line_is_named(tmp_path, files):
    records, file = files
    with file.open("a") as out:
        out.write(json.dumps(ANSWERS[0]) + "\n")
    done = geomag(tmp_path, "score", "refsegrs", file, "--records", records)
    assert done.returncode == 2
    assert (
        "magcrop.jsonl, line 4: a second prediction of id '0'. Wanted: one line per id"
        in done.stderr
    )


def test_answers_under_another_key_are_refused_and_taken_when_it_is_named(tmp_path):
    names = ("81", "82")
    said = "a harbour with boats"
    rows = [record("ucm_captions", name, answers=(said,)) for name in names]
    answers = [{"id": name, "caption": said} for name in names]
    records, file = lay(tmp_path, rows, answers)
    score = ["score", "ucm_captions", file, "--records", records]
    done = geomag(tmp_path, *score)
    assert done.returncode == 2
    assert "no line has 'text'; keys found: ['caption', 'id']" in done.stderr
    assert "--text-key caption, or use geomag convert" in done.stderr
    done = geomag(tmp_path, *score, "--text-key", "caption")
    assert done.returncode == 0, done.stderr
    rouge = next(line for line in done.stdout.splitlines() if line.startswith("rouge_l"))
    assert rouge.split()[1] == "1.0000"


def test_masks_under_another_key_are_refused_and_taken_when_it_is_named(tmp_path):
    mask = square((0, 4), (0, 4))
    rows = [record("refsegrs", "1", masks=(mask,), kind="car")]
    records, file = lay(tmp_path, rows, [{"id": "1", "rle": mask}])
    score = ["score", "refsegrs", file, "--records", records]
    done = geomag(tmp_path, *score)
    assert done.returncode == 2
    assert "no line has 'masks'; keys found: ['id', 'rle']" in done.stderr
    done = geomag(tmp_path, *score, "--mask-key", "rle")
    assert done.returncode == 0, done.stderr
    means = next(line for line in done.stdout.splitlines() if line.startswith("mean_iou"))
    assert means.split()[1] == "1.0000"
