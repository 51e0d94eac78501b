"""RRSIS-D and RefSegRS: the layout and the quirks of the protocol, and masks that fit the words."""

import hashlib
import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from geomag.data.benchmarks.registry import read_benchmark
from geomag.data.unpickle import load_plain_pickle
from geomag.geometry import box_of_mask, decode_mask

COLOURS = {"red": (205, 45, 40), "blue": (45, 75, 205), "yellow": (240, 210, 50)}


@pytest.fixture(scope="module")
def rrsis(drawn, out) -> Path:
    return out / "rrsis_d"


@pytest.fixture(scope="module")
def refs(rrsis) -> list[dict]:
    return load_plain_pickle(rrsis / "rrsisd" / "refs(unc).p")


@pytest.fixture(scope="module")
def instances(rrsis) -> dict:
    return json.loads((rrsis / "rrsisd" / "instances.json").read_text())


def colour_of(pixels: np.ndarray) -> str:
    """The colour word nearest to the median of ``[N, 3]`` pixels."""
    middle = np.median(pixels, axis=0)
    return min(COLOURS, key=lambda word: float(np.abs(middle - COLOURS[word]).sum()))


def test_refs_have_the_keys_of_the_pickle_and_ids_equal_to_stems(refs):
    for ref in refs:
        stem = int(Path(ref["file_name"]).stem)
        assert list(ref) == [
            "ref_id", "ann_id", "image_id", "category_id", "file_name", "split", "sent_ids",
            "sentences",
        ]  # fmt: skip
        assert (ref["ref_id"], ref["ann_id"], ref["image_id"]) == (stem, stem, stem)
        assert ref["sent_ids"] == [stem]
        (sentence,) = ref["sentences"]
        assert sentence["raw"] == sentence["sent"]
        assert sentence["tokens"] == re.findall(r"[a-z]+", sentence["raw"].lower())


def test_numbers_have_gaps_and_five_digits(refs):
    numbers = [ref["ref_id"] for ref in refs]
    assert numbers == sorted(set(numbers))
    assert numbers != list(range(numbers[0], numbers[0] + len(numbers)))
    assert all(ref["file_name"] == f"{ref['ref_id']:05d}.jpg" for ref in refs)


def test_annotations_have_xyxy_boxes_and_the_misspelt_class_key(instances):
    differs = 0
    for row in instances["annotations"]:
        assert "category_id" not in row
        assert 0 <= row["categories_id"] < 20
        mask = decode_mask(row["segmentation"][0])
        if mask.any():
            box = box_of_mask(mask)
            assert row["bbox"] == [box.x0, box.y0, box.x1, box.y1]
            differs += row["bbox"][2] != box.width
    assert differs > 0.9 * len(instances["annotations"])


def test_one_area_is_nonsense_and_one_mask_is_empty(instances, refs):
    wrong = [
        row["id"]
        for row in instances["annotations"]
        if row["area"] != int(decode_mask(row["segmentation"][0]).sum())
    ]
    empty = [
        r["id"] for r in instances["annotations"] if not decode_mask(r["segmentation"][0]).any()
    ]
    split = {ref["ref_id"]: ref["split"] for ref in refs}
    assert [split[k] for k in wrong] == ["train"]
    assert [split[k] for k in empty] == ["val"]


def test_two_images_are_lower_than_their_masks(rrsis, instances, refs):
    split = {ref["ref_id"]: ref["split"] for ref in refs}
    listed = {row["id"]: (row["width"], row["height"]) for row in instances["images"]}
    low = []
    for row in instances["annotations"]:
        with Image.open(rrsis / f"images/rrsisd/JPEGImages/{row['id']:05d}.jpg") as image:
            assert image.size == listed[row["id"]]
            if image.size != (448, 448):
                assert image.size == (448, 438)
                low.append(split[row["id"]])
        assert row["segmentation"][0]["size"] == [448, 448]
    assert sorted(low) == ["test", "train"]


def test_xml_ends_with_the_target_and_spells_classes_with_blanks(rrsis, refs, instances):
    boxes = {row["id"]: row["bbox"] for row in instances["annotations"]}
    n_objects, names = Counter(), set()
    for ref in refs:
        top = ET.parse(rrsis / f"images/rrsisd/ann_split/{ref['ref_id']:05d}.xml").getroot()
        things = top.findall("object")
        n_objects[len(things)] += 1
        names |= {thing.findtext("name") for thing in things}
        last = things[-1]
        assert last.findtext("description") == ref["sentences"][0]["raw"]
        corners = [int(last.findtext(f"bndbox/{c}")) for c in ("xmin", "ymin", "xmax", "ymax")]
        assert corners == boxes[ref["ref_id"]]
    assert max(n_objects) == 3
    assert any(" " in name for name in names)
    assert not any("-" in name for name in names)


def test_colour_words_are_the_colours_under_the_masks(rrsis):
    checked = 0
    for record in read_benchmark("rrsis_d", rrsis):
        word = next((w for w in COLOURS if re.search(rf"\b{w}\b", record.text)), None)
        if word and record.kind in ("airplane", "ship", "storage tank", "vehicle", "bridge"):
            pixels = np.asarray(Image.open(rrsis / record.image))[decode_mask(record.masks[0])]
            if len(pixels):
                assert colour_of(pixels) == word
                checked += 1
    assert checked >= 4


@pytest.fixture(scope="module")
def refsegrs(drawn, out) -> Path:
    return out / "refsegrs" / "RefSegRS"


def test_tiffs_are_packbits_and_masks_one_grey_band(refsegrs):
    for folder, mode in (("images", "RGB"), ("masks", "L")):
        paths = sorted((refsegrs / folder).iterdir())
        assert len(paths) > 40
        for path in paths:
            with Image.open(path) as image:
                assert (image.mode, image.tag_v2[259], image.size) == (mode, 32773, (288, 288))


def test_several_ids_share_one_scene_and_never_two_splits(refsegrs):
    scenes: dict[str, list[str]] = {}
    for split in ("train", "val", "test"):
        for line in (refsegrs / f"output_phrase_{split}.txt").read_text().splitlines():
            line_id, space, phrase = line.partition(" ")
            assert (line_id.isdecimal(), space, phrase.strip()) == (True, " ", phrase)
            content = (refsegrs / "images" / f"{line_id}.tif").read_bytes()
            scenes.setdefault(hashlib.sha256(content).hexdigest(), []).append(split)
    assert max(len(found) for found in scenes.values()) == 3
    assert all(len(set(found)) == 1 for found in scenes.values())


def test_each_split_has_one_mask_with_greys_on_both_sides_of_the_threshold(refsegrs):
    for split in ("train", "val", "test"):
        ids = [
            line.split(" ")[0]
            for line in (refsegrs / f"output_phrase_{split}.txt").read_text().splitlines()
        ]
        grey = [
            set(np.unique(np.asarray(Image.open(refsegrs / "masks" / f"{k}.tif")))) for k in ids
        ]
        assert [values for values in grey if values - {0, 255}] == [grey[0]]
        assert {0, 40, 200} <= grey[0]
        assert all(255 in values for values in grey[1:])


def test_some_masks_have_several_parts(out, drawn):
    parts = [
        ndimage.label(decode_mask(record.masks[0]), np.ones((3, 3)))[1]
        for record in read_benchmark("refsegrs", out / "refsegrs")
    ]
    assert max(parts) > 1
    assert min(parts) == 1
