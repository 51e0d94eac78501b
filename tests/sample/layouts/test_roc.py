"""DIOR-RSVG: running object indices, shared images, unseen images, the XML of the download."""

import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from geomag.data.benchmarks.dior import DIOR_CLASSES
from geomag.data.benchmarks.registry import read_benchmark
from geomag.sample.layouts import write_sample


@pytest.fixture(scope="module")
def base(drawn, out) -> Path:
    return out / "dior_rsvg" / "DIOR_RSVG"


def indices(base: Path, split: str) -> list[int]:
    return [int(line) for line in (base / f"{split}.txt").read_text().splitlines()]


def test_indices_are_sorted_disjoint_and_cover_every_object(base):
    parts = {split: indices(base, split) for split in ("train", "val", "test")}
    n_objects = sum(
        len(ET.parse(path).findall("object")) for path in (base / "Annotations").glob("*.xml")
    )
    assert all(part == sorted(part) for part in parts.values())
    assert sorted(k for part in parts.values() for k in part) == list(range(n_objects))


def test_object_children_stand_in_the_order_that_position_readers_expect(base):
    names = set()
    for path in (base / "Annotations").glob("*.xml"):
        top = ET.parse(path).getroot()
        assert [child.tag for child in top][:4] == ["filename", "source", "size", "segmented"]
        assert top.findtext("filename") == f"{path.stem}.jpg"
        for thing in top.findall("object"):
            assert [child.tag for child in thing] == ["name", "pose", "bndbox", "description"]
            names.add(thing.findtext("name"))
    assert names <= set(DIOR_CLASSES)
    assert any(name.startswith("Expressway-") for name in names)


def test_splits_share_images_but_some_test_images_are_unseen(drawn, out):
    homes: dict[str, set[str]] = {}
    for record in read_benchmark("dior_rsvg", out / "dior_rsvg"):
        homes.setdefault(record.image, set()).add(str(record.split))
    assert {"train", "test"} in homes.values()
    assert {"test"} in homes.values()


def test_some_boxes_are_annotated_twice(drawn, out):
    records = list(read_benchmark("dior_rsvg", out / "dior_rsvg"))
    twice = Counter((record.image, record.boxes) for record in records)
    assert max(twice.values()) == 2


def test_boxes_lie_inside_the_image(drawn, out):
    for record in read_benchmark("dior_rsvg", out / "dior_rsvg"):
        x0, y0, x1, y1 = record.boxes[0].corners
        assert 0 <= x0 < x1 <= record.width == 448
        assert 0 <= y0 < y1 <= record.height == 448


@pytest.mark.integration
def test_all_classes_occur_in_train_and_test_at_full_size(tmp_path):
    write_sample("dior_rsvg", tmp_path / "d", seed=41, scale=1.0)
    found = {(str(r.split), r.kind) for r in read_benchmark("dior_rsvg", tmp_path / "d")}
    wanted = {(split, kind) for split in ("train", "test") for kind in DIOR_CLASSES.values()}
    assert wanted <= found
