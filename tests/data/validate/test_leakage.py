"""Test pictures that are trained on: found by file, by look, by source; and found fast."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from geomag.cli.main import app
from geomag.data.benchmarks import BENCHMARKS, Split
from geomag.data.records import Record, write_records
from geomag.data.validate import fingerprints
from geomag.data.validate.fingerprints import fingerprint, near_pairs
from geomag.data.validate.leakage import SplitPicture, audit, page, write
from geomag.errors import AnnotationError


def scene(seed, side=120):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


@pytest.fixture
def project(tmp_path):
    """Five benchmarks' pictures, with one overlap of every kind."""
    plain = Image.new("RGB", (64, 64), (40, 80, 120))
    brighter = scene(1).point(lambda v: min(255, v + 12))
    laid = {
        "rrsis_d": [("train", "J/00001.jpg", scene(1)), ("test", "J/00002.jpg", scene(2))],
        "dior_rsvg": [("train", "J/00002.jpg", scene(3)), ("val", "J/00009.jpg", scene(8))],
        "aid": [("test", "A/a.jpg", brighter.resize((77, 91))), ("test", "A/b.jpg", scene(8))],
        "ucm_captions": [("train", "1.png", scene(4)), ("test", "2.png", scene(4))],
        "refsegrs": [("train", "p.png", plain), ("test", "q.png", plain.resize((65, 65)))],
    }
    records = {}
    for name, rows in laid.items():
        made = []
        for split, image, picture in rows:
            path = tmp_path / "data" / name / image
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path, **({"quality": 80} if image.endswith("jpg") else {}))
            made.append(
                Record(
                    benchmark=name,
                    id=image,
                    split=Split(split),
                    task=BENCHMARKS[name].task,
                    image=image,
                    width=picture.width,
                    height=picture.height,
                )
            )
        records[name] = tmp_path / "records" / name / "records.jsonl"
        write_records(records[name], made + made[:1])  # several records may show one picture
    return tmp_path, records


def test_each_kind_of_overlap_is_found_and_nothing_else(project):
    root, records = project
    found = audit(root / "data", records)
    assert {(o.kind, str(o.test), str(o.train)) for o in found.overlaps} == {
        ("alike", "aid test A/a.jpg", "rrsis_d train J/00001.jpg"),
        ("same_source", "rrsis_d test J/00002.jpg", "dior_rsvg train J/00002.jpg"),
        ("same_file", "ucm_captions test 2.png", "ucm_captions train 1.png"),
    }
    assert found.n_plain == 2
    assert found.n_pictures["aid"] == {"test": 2}  # its scenes are never trained on
    assert found.n_pictures["dior_rsvg"] == {"train": 1}  # validation is not either
    row = next(row for row in found.table() if row["test"] == "aid")
    assert (row["train"], row["test_images"], row["of"]) == ("rrsis_d", 1, 2)


def test_the_page_and_the_json_name_every_pair(project, tmp_path):
    root, records = project
    (root / "data" / "aid" / "SAMPLE.json").write_text("{}")
    found = audit(root / "data", records)
    write(found, tmp_path / "out")
    text = (tmp_path / "out" / "leakage.md").read_text()
    assert text == page(found)
    assert "| aid | rrsis_d | a picture that looks alike | 1 | 2 |" in text
    assert "Drawn sample: aid." in text
    assert "- `aid test A/a.jpg` and `rrsis_d train J/00001.jpg`" in text
    tree = json.loads((tmp_path / "out" / "leakage.json").read_text())
    assert len(tree["overlaps"]) == 3
    assert {o["kind"]: o["bits"] for o in tree["overlaps"]}["same_file"] == 0


def test_the_command_writes_both_and_names_missing_records(project, tmp_path):
    root, _ = project
    options = ["--data", str(root / "data"), "--records", str(root / "records")]
    options += ["--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, ["data", "leakage", "aid", "rrsis_d", *options])
    assert done.exit_code == 0, done.output
    assert "looks alike: 1 pairs" in done.output
    assert (tmp_path / "out" / "leakage.json").is_file()
    done = CliRunner().invoke(app, ["data", "leakage", "resisc45", *options, "--overwrite"])
    assert isinstance(done.exception, AnnotationError)
    assert "run `geomag data validate resisc45`" in str(done.exception)


def test_sources_are_numbers_of_published_pictures():
    assert SplitPicture("geopixeld", "test", "test/P0224_0_800_0_800.png").source == "DOTA P0224"
    assert SplitPicture("dior_rsvg", "test", "JPEGImages/00011.jpg").source == "DIOR 00011"
    assert SplitPicture("aid", "test", "Park/park_1.jpg").source == ""


def test_a_hash_survives_jpeg_and_scale_and_tells_scenes_apart(tmp_path):
    scene(5).save(tmp_path / "a.png")
    scene(5).resize((300, 200)).save(tmp_path / "b.jpg", quality=60)
    scene(6).save(tmp_path / "c.png")
    a, b, c = (fingerprint(tmp_path / name) for name in ("a.png", "b.jpg", "c.png"))

    def apart(one, other):
        return sum((x ^ y).bit_count() for x, y in zip(one.words, other.words, strict=True))

    assert apart(a, b) <= 8
    assert apart(a, c) > 30


@pytest.mark.parametrize("most_bits", [0, 3, 8, 15])
def test_near_pairs_are_those_of_all_pairs(most_bits, monkeypatch):
    monkeypatch.setattr(fingerprints, "MAX_PAIRS", 50)
    rng = np.random.default_rng(most_bits)
    left = rng.integers(0, 2**64, (40, 2), dtype=np.uint64)
    right = np.concatenate([left[::2], rng.integers(0, 2**64, (60, 2), dtype=np.uint64)])
    for row in right[:20]:  # a few bits of the copies are turned over
        for bit in rng.choice(128, int(rng.integers(0, 20)), replace=False):
            row[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    i, j, bits = near_pairs(left, right, most_bits=most_bits)
    want = {
        (a, b): int(np.bitwise_count(left[a] ^ right[b]).sum())
        for a in range(len(left))
        for b in range(len(right))
    }
    want = {pair: n for pair, n in want.items() if n <= most_bits}
    assert dict(zip(zip(i.tolist(), j.tolist(), strict=True), bits.tolist(), strict=True)) == want
    assert want


def test_no_picture_at_all_has_no_pair():
    none = np.zeros((0, 2), dtype=np.uint64)
    assert near_pairs(none, none, most_bits=8)[0].size == 0
