"""Predictions of somebody's records: image by image, maps kept, windows as the settings say."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from geomag.cli.main import app
from geomag.config import load_profile, override
from geomag.data.benchmarks import Split, Task
from geomag.data.records import Record, write_records
from geomag.evaluate.predict import Source, blanks, predict_benchmark
from geomag.geometry import encode_mask
from geomag.io import read_jsonl
from tests.ask.models import write_project

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    profile = load_profile(str(write_project(root)))
    draw, records = np.random.default_rng(0), []
    for name in "ab":
        pixels = draw.integers(0, 256, (90, 120, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{name}.png")
    mask = np.zeros((90, 120), dtype=bool)
    mask[10:30, 20:50] = True
    for number, name in enumerate("abab"):
        records.append(
            Record(
                benchmark="rrsis_d",
                id=str(number),
                split=Split.TEST,
                task=Task.REFERRING,
                image=f"{name}.png",
                width=120,
                height=90,
                text=("the red ship", "the grey dam")[number // 2],
                masks=(encode_mask(mask),),
            )
        )
    write_records(root / "records.jsonl", records)
    return root, profile


def predict(project, arm, **sections):
    root, profile = project
    source = Source("rrsis_d", root, root / "records.jsonl", root / "heat", is_line=False)
    out = root / f"{arm}.jsonl"
    profile = override(profile, **sections)
    count = predict_benchmark(
        source, arm, profile, artifacts=root / "artifacts", out=out, log=lambda _: None
    )
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == count
    return rows


def test_rows_come_image_by_image_and_say_where_was_looked(project):
    rows = predict(project, "magcrop")
    assert [row["id"] for row in rows] == ["0", "2", "1", "3"]
    for row in rows:
        assert row["granularity"] == "pixel"
        assert len(row["crop_boxes"]) == 2
        assert 0 <= row["crop_recall"] <= 1
        assert row["pointing"] in (0.0, 1.0)
    # every map once: four over images, four over first windows
    root, _ = project
    kept = {path: path.stat().st_mtime_ns for path in (root / "heat").rglob("*.npy")}
    assert len(kept) == 8
    again = predict(project, "magcrop")
    assert [row["crop_boxes"] for row in again] == [row["crop_boxes"] for row in rows]
    assert {path: path.stat().st_mtime_ns for path in (root / "heat").rglob("*.npy")} == kept


def test_the_answers_of_a_shared_image_are_those_of_an_image_of_ones_own(project):
    together = {row["id"]: row for row in predict(project, "plain")}
    alone = {row["id"]: row for row in predict(project, "plain", predict={"batch": 1})}
    assert together == alone


def test_the_mask_probe_has_boxes_and_no_map(project):
    rows = predict(project, "magcrop", magcrop={"probe": "mask"})
    plain = {row["id"]: row for row in predict(project, "plain")}
    for row in rows:
        assert "pointing" not in row
        if not plain[row["id"]]["masks"]:
            assert row["crop_boxes"] == []


def test_a_blank_image_tells_nothing_of_the_picture():
    draw = np.random.default_rng(1)
    images = [
        draw.integers(0, 256, size, dtype=np.uint8) for size in ((4, 6, 3), (4, 6, 3), (2, 2, 3))
    ]
    flat = blanks(images)
    assert [one.shape for one in flat] == [one.shape for one in images]
    assert flat[0] is flat[1]  # so that the model reads it once
    assert {tuple(pixel) for one in flat for pixel in one.reshape(-1, 3).tolist()} == {
        (123, 117, 104)
    }


def test_the_blank_arm_answers_the_words_alone(project, monkeypatch):
    root, _ = project
    monkeypatch.chdir(root)
    options = ["--profile", str(root / "tiny.yaml"), "--data", str(root)]
    options += ["--records", str(root / "records.jsonl")]
    done = CliRunner().invoke(app, ["predict", "rrsis_d", "--arm", "blank", *options])
    assert done.exit_code == 0, done.output
    rows = {row["id"]: row for row in read_jsonl(root / "blank.jsonl")}
    plain = {row["id"]: row for row in predict(project, "plain")}
    for one, other in (("0", "1"), ("2", "3")):  # same words, another picture
        assert rows[one] | {"id": other} == rows[other]
        assert "crop_boxes" not in rows[one]
    assert any(plain[i]["masks"] != plain[j]["masks"] for i, j in (("0", "1"), ("2", "3")))
