"""A drop in each benchmark's own layout: old records stay, new ones come, conflicts are named.

The trees are those of the readers' tests.
"""

import json
import shutil
from pathlib import Path

import pytest

from geomag.config import load_profile
from geomag.data.benchmarks.registry import read_benchmark
from geomag.data.intake.add import _merge, add
from geomag.errors import AnnotationError, GeoMagError
from geomag.geometry import PixelBox
from geomag.io import read_json
from geomag.versions import path_md5
from tests.data.conftest import RsvqaTree, dior_object, dump, picture

SAMPLE = load_profile("sample")


@pytest.fixture
def merged(tmp_path):
    """Merge a drop into a benchmark aside, and read what comes out."""

    def merge(benchmark: str, base: Path, drop: Path) -> list:
        out = tmp_path / "merged"
        shutil.rmtree(out, ignore_errors=True)
        names = _merge(drop, base, out, benchmark)
        assert all((out / name).is_file() for name in names)
        return list(read_benchmark(benchmark, out))

    return merge


def check(merged, benchmark, base, drop, new):
    """The old records first and unchanged within each split, the new ids beside, and no change when
    the same drop meets what it made."""
    old = list(read_benchmark(benchmark, base))
    found = merged(benchmark, base, drop)
    kept = [record for record in found if record.id not in new]
    assert sorted(kept, key=lambda r: r.id) == sorted(old, key=lambda r: r.id)
    assert {record.id: record.split for record in found if record.id in new} == new
    whole = base.with_name("whole")
    shutil.copytree(base.parent / "merged", whole)
    digest = path_md5(whole)
    assert merged(benchmark, whole, drop) == found
    assert path_md5(base.parent / "merged") == digest
    return {record.id: record for record in found}


def refsegrs_drop(folder: Path, base: Path, lines="200 a blue van\n") -> Path:
    tree = folder / "RefSegRS"
    for kind in ("images", "masks"):
        (tree / kind).mkdir(parents=True)
        shutil.copyfile(base / "RefSegRS" / kind / "17.tif", tree / kind / "200.tif")
    (tree / "output_phrase_train.txt").write_text(lines)
    return folder


def test_refsegrs(merged, refsegrs, tmp_path):
    drop = refsegrs_drop(tmp_path / "drop", refsegrs)
    found = check(merged, "refsegrs", refsegrs, drop, {"200": "train"})
    assert found["200"].text == "a blue van"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("18 another phrase\n", r"output_phrase_train.txt of the drop: id 18 stands elsewhere"),
        ("105 bus\n", r"id 105 stands elsewhere .*/output_phrase_test.txt"),
        ("van\n", r"output_phrase_train.txt, line 3: 'van'"),
        ("201 a van\n", r"1 images are missing: 201"),
    ],
)
def test_refsegrs_names_the_line(merged, refsegrs, tmp_path, lines, message):
    drop = refsegrs_drop(tmp_path / "drop", refsegrs, lines)
    with pytest.raises(GeoMagError, match=message):
        merged("refsegrs", refsegrs, drop)


def test_geopixeld(merged, geopixel, tmp_path):
    base = geopixel.root
    drop = type(geopixel).__new__(type(geopixel))
    drop.root, drop.folder = tmp_path / "drop", tmp_path / "drop" / "GeoPixelD"
    drop.patch("test", "P0200_0_16_0_20")
    check(merged, "geopixeld", base, drop.root, {"P0200_0_16_0_20": "test"})
    drop.patch("train", "P0100_0_16_0_20")
    with pytest.raises(AnnotationError, match=r"P0100_0_16_0_20.json .* in GeoPixelD/test"):
        merged("geopixeld", base, drop.root)


def test_geopixeld_names_the_patch_that_is_broken(merged, geopixel, tmp_path):
    drop = type(geopixel).__new__(type(geopixel))
    drop.root, drop.folder = tmp_path / "drop", tmp_path / "drop" / "GeoPixelD"
    drop.patch("test", "P0200_0_16_0_20", polygons=[[[[2, 2], [5, 2], [5, 5]]]])
    with pytest.raises(AnnotationError, match=r"test/P0200_0_16_0_20.json: 1 masks. Wanted: one "):
        merged("geopixeld", geopixel.root, drop.root)


def dior_drop(folder: Path, stem="00400", objects=2, lists=("0\n", "1\n", "")) -> Path:
    tree = folder / "DIOR_RSVG"
    rows = [dior_object("ship", (1, 1, 9 + k, 9)) for k in range(objects)]
    (tree / "Annotations").mkdir(parents=True, exist_ok=True)
    (tree / "Annotations" / f"{stem}.xml").write_text(f"<annotation>{''.join(rows)}</annotation>")
    picture(tree / "JPEGImages" / f"{stem}.jpg", 40, 40)
    for split, text in zip(("train", "val", "test"), lists, strict=True):
        (tree / f"{split}.txt").write_text(text)
    return folder


def test_dior_rsvg(merged, dior, tmp_path):
    drop = dior_drop(tmp_path / "drop")
    found = check(merged, "dior_rsvg", dior, drop, {"5": "train", "6": "val"})
    assert found["6"].boxes == (PixelBox(1.0, 1.0, 10.0, 9.0),)
    # cut off after the files and before the lists: the same drop ends it
    half = tmp_path / "half"
    shutil.copytree(tmp_path / "whole", half)
    for split in ("train", "val", "test"):
        name = f"DIOR_RSVG/{split}.txt"
        shutil.copyfile(dior / name, half / name)
    assert {r.id: r for r in merged("dior_rsvg", half, drop)} == found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stem": "00100"}, r"00100.xml of the drop: sorts before 00312.xml"),
        ({"stem": "00312", "objects": 1, "lists": ("0\n", "", "")}, r"the file stands elsewhere"),
        ({"lists": ("0\n2\n", "", "")}, r"train.txt, line 2: '2'. Wanted: an object index"),
        ({"lists": ("0\n", "0\n", "")}, r"object 0 of 00400.xml stands elsewhere"),
        ({"lists": ("0\n", "", "")}, r"1 of 7 objects are in no split, the first is 6"),
    ],
)
def test_dior_rsvg_names_the_file_and_the_line(merged, dior, tmp_path, changes, message):
    drop = dior_drop(tmp_path / "drop", **changes)
    with pytest.raises(AnnotationError, match=message):
        merged("dior_rsvg", dior, drop)


def test_rsvqa_hr(merged, rsvqa_hr, tmp_path):
    drop = RsvqaTree(tmp_path / "drop", "USGS", "Data", ())
    drop.split("test_phili", 8)
    new = dict.fromkeys(("81", "83", "84"), "test_phili")
    check(merged, "rsvqa_hr", rsvqa_hr.root, drop.root, new)
    drop.change("test_phili", "questions", 81, img_id=99)
    with pytest.raises(AnnotationError, match=r"question 81: img_id 99"):
        merged("rsvqa_hr", rsvqa_hr.root, drop.root)


def captions_drop(folder: Path, base: Path, **changes) -> Path:
    tree = read_json(base / "UCM_captions" / "dataset.json")
    row = {**tree["images"][0], "filename": "11.tif", "imgid": 10, **changes}
    dump(folder / "UCM_captions" / "dataset.json", {"dataset": "UCM", "images": [row]})
    picture(folder / "UCM_captions" / "imgs" / "11.jpg", 16, 16)
    return folder


@pytest.mark.parametrize("benchmark", ["ucm_captions", "sydney_captions"])
def test_captions(merged, ucm, tmp_path, benchmark):
    drop = captions_drop(tmp_path / "drop", ucm)
    for folder in (ucm, drop) if benchmark == "sydney_captions" else ():
        path = folder / "UCM_captions" / "dataset.json"
        path.write_text(path.read_text().replace('"UCM"', '"sydney"'))
    found = check(merged, benchmark, ucm, drop, {"11": "train"})
    assert len(found["11"].answers) == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filename": "2.tif"}, r"images: 1 rows of another content .* filename 2.tif"),
        ({"sentences": [{"raw": "One ."}]}, r"image 11, sentences: 1 of 1 hold text"),
        ({"split": "valid"}, r"image 11, split: 'valid'"),
    ],
)
def test_captions_name_the_image(merged, ucm, tmp_path, changes, message):
    drop = captions_drop(tmp_path / "drop", ucm, **changes)
    with pytest.raises(AnnotationError, match=message):
        merged("ucm_captions", ucm, drop)


def test_captions_of_the_other_set_are_refused(merged, ucm, tmp_path):
    drop = captions_drop(tmp_path / "drop", ucm)
    path = drop / "UCM_captions" / "dataset.json"
    path.write_text(path.read_text().replace('"UCM"', '"sydney"'))
    with pytest.raises(AnnotationError, match=r"dataset 'sydney'. Wanted: 'UCM'"):
        merged("ucm_captions", ucm, drop)


def test_scenes(merged, aid, tmp_path):
    picture(tmp_path / "drop" / "AID" / "Beach" / "beach_11.jpg", 12, 12)
    check(merged, "aid", aid, tmp_path / "drop", {"Beach/beach_11.jpg": "test"})


def test_scenes_name_what_is_no_class_or_no_picture(merged, aid, tmp_path):
    picture(tmp_path / "drop" / "Beaches" / "beach_11.jpg", 12, 12)
    with pytest.raises(AnnotationError, match=r"folders \['Beaches'\]. Wanted: class folders"):
        merged("aid", aid, tmp_path / "drop")
    broken = tmp_path / "broken" / "AID" / "Beach" / "beach_12.jpg"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"not a picture")
    with pytest.raises(GeoMagError, match=r"beach_12.jpg"):
        merged("aid", aid, tmp_path / "broken")
    picture(tmp_path / "taken" / "AID" / "Beach" / "beach_1.jpg", 12, 12, seed=9)
    with pytest.raises(AnnotationError, match=r"1 files of another content .*beach_1.jpg"):
        merged("aid", aid, tmp_path / "taken")


@pytest.mark.parametrize("other", ["AID/Beach/beach_1.jpg", "AID/Port/port_9.jpg"])
def test_a_scene_that_stands_under_another_class_is_refused(merged, aid, tmp_path, other):
    drop = tmp_path / "drop"
    picture(drop / "AID" / "Airport" / "airport_77.jpg", 12, 12)
    same = (drop if "port_9" in other else aid) / other
    same.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(drop / "AID" / "Airport" / "airport_77.jpg", same)
    with pytest.raises(AnnotationError, match=r"airport_77.jpg of the drop: the picture \w+/\w+"):
        merged("aid", aid, drop)


def test_resisc45_lists_get_the_new_names(merged, tmp_path):
    base = tmp_path / "resisc45"
    picture(base / "airplane" / "airplane_001.jpg", 12, 12)
    (base / "resisc45-train.txt").write_text("airplane_001.jpg\n")
    picture(tmp_path / "drop" / "airplane" / "airplane_701.jpg", 12, 12)
    (tmp_path / "drop" / "resisc45-train.txt").write_text("airplane_701.jpg\n")
    new = {"airplane/airplane_701.jpg": "test"}
    found = check(merged, "resisc45", base, tmp_path / "drop", new)
    assert [record.notes for record in found.values()] == [("list_train",), ("list_train",)]


@pytest.mark.integration
def test_f33_a_drop_of_another_layout_is_taken_in_whole(dior, tmp_path):
    project = tmp_path / "project"
    (project / ".dvc").mkdir(parents=True)
    (project / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (project / "dvc.yaml").write_text("stages: {}\n")
    shutil.copytree(dior, project / "data" / "dior_rsvg")
    marker = {"benchmark": "dior_rsvg", "counts": {"train": 3, "val": 1, "test": 1}, "seed": 1}
    path = project / "data" / "dior_rsvg" / "SAMPLE.json"
    path.write_text(json.dumps({**marker, "digest": "x"}))
    drop = dior_drop(tmp_path / "drop")
    done = add(drop, "dior_rsvg", project, SAMPLE)
    assert done.counts == {"train": 4, "val": 2, "test": 1}
    assert set(done.new_files) == {
        "DIOR_RSVG/Annotations/00400.xml",
        "DIOR_RSVG/JPEGImages/00400.jpg",
    }
    before = (project / "data.dvc").read_text()
    assert add(drop, "dior_rsvg", project, SAMPLE).counts == {}
    assert (project / "data.dvc").read_text() == before
    bad = dior_drop(tmp_path / "bad", stem="00500", lists=("0\n1\n7\n", "", ""))
    with pytest.raises(AnnotationError, match=r"train.txt, line 3: '7'"):
        add(bad, "dior_rsvg", project, SAMPLE)
    assert (project / "data.dvc").read_text() == before
