"""UCM and Sydney: numbering by class, contiguous splits, five sentences, the odd image."""

import json
from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest
from PIL import Image

from geomag.data.benchmarks.sydney_captions.spec import SYDNEY_LAST
from geomag.data.benchmarks.ucm_captions.spec import UCM_CLASSES

FOLDERS = {"ucm_captions": "UCM_captions", "sydney_captions": "Sydney_captions"}


@pytest.fixture(scope="module", params=FOLDERS)
def base(request, drawn, out) -> Path:
    return out / request.param / FOLDERS[request.param]


def entries(base: Path) -> list[dict]:
    return json.loads((base / "dataset.json").read_text())["images"]


def test_json_is_karpathys_with_five_sentences_an_image(base):
    for position, entry in enumerate(entries(base)):
        assert list(entry) == ["filename", "imgid", "sentids", "split", "sentences"]
        assert entry["imgid"] == position
        assert entry["sentids"] == [5 * position + k for k in range(5)]
        assert [s["sentid"] for s in entry["sentences"]] == entry["sentids"]
        for sentence in entry["sentences"]:
            assert sentence["imgid"] == position
            assert sentence["raw"].endswith(" .")
            assert sentence["raw"][0].isupper()
            assert sentence["tokens"] == sentence["raw"].lower().split()[:-1]


def test_lists_beside_the_json_say_the_same(base):
    rows = entries(base)
    for split in ("train", "val", "test"):
        names = (base / "filenames" / f"filenames_{split}.txt").read_text().splitlines()
        assert names == [row["filename"] for row in rows if row["split"] == split]
    (path,) = base.glob("descriptions_*.txt")
    assert path.read_text().splitlines() == [
        f"{Path(row['filename']).stem} {sentence['raw']}"
        for row in rows
        for sentence in row["sentences"]
    ]


def test_some_images_repeat_a_sentence(base):
    repeats = sum(len({s["raw"] for s in row["sentences"]}) < 5 for row in entries(base))
    assert 0 < repeats < 0.7 * len(entries(base))


def test_ucm_numbers_tell_the_class_and_one_image_is_narrow(drawn, out):
    base = out / "ucm_captions" / "UCM_captions"
    rows = entries(base)
    classes = Counter((int(Path(row["filename"]).stem) - 1) // 100 for row in rows)
    assert set(classes) == set(range(len(UCM_CLASSES)))
    sizes = {}
    for row in rows:
        with Image.open(base / "imgs" / row["filename"]) as image:
            sizes[row["filename"]] = image.size
    assert {name: s for name, s in sizes.items() if s != (256, 256)} == {"2.tif": (250, 256)}


def test_sydney_splits_are_contiguous_within_the_published_ranges(drawn, out):
    rows = entries(out / "sydney_captions" / "Sydney_captions")
    first = 1
    for last in SYDNEY_LAST.values():
        mine = [row for row in rows if first <= int(Path(row["filename"]).stem) <= last]
        runs = [split for split, _ in groupby(row["split"] for row in mine)]
        assert runs == ["train", "val", "test"]
        first = last + 1
