"""AID and RESISC45: folders by name, strays, twins, split lists (protocols/scenes#files)."""

import shutil

import pytest
from PIL import Image

from geomag.data.benchmarks.aid.spec import AID_CLASSES, AID_COUNTS
from geomag.data.benchmarks.registry import read_benchmark
from geomag.data.benchmarks.resisc45.spec import RESISC45_CLASSES
from geomag.errors import AnnotationError, UnsafePathError


def read(root, name="aid"):
    return list(read_benchmark(name, root))


def test_images_come_in_string_order_with_display_names(aid):
    records = read(aid)
    assert [(r.id, r.answers, str(r.split)) for r in records] == [
        ("BareLand/bareland_1.jpg", ("bare land",), "test"),
        ("BareLand/bareland_2.jpg", ("bare land",), "test"),
        ("Beach/beach_1.jpg", ("beach",), "test"),
        ("Beach/beach_10.jpg", ("beach",), "test"),
        ("Beach/beach_2.jpg", ("beach",), "test"),
        ("Beach/beach_9.jpg", ("beach",), "test"),
        ("StorageTanks/storagetanks_7.jpg", ("storage tanks",), "test"),
    ]
    assert records[0].image == "AID/BareLand/bareland_1.jpg"
    assert records[0].kind == "bare land"


def test_the_published_tables():
    assert (len(AID_CLASSES), sum(AID_COUNTS.values()), len(RESISC45_CLASSES)) == (30, 10_000, 45)
    assert AID_CLASSES["MediumResidential"] == "medium residential"
    assert RESISC45_CLASSES["thermal_power_station"] == "thermal power station"
    assert list(RESISC45_CLASSES).index("wetland") == 44


def test_a_stray_folder_is_refused(aid):
    (aid / "AID" / "Buildings").mkdir()
    with pytest.raises(AnnotationError, match=r"Buildings: not a class folder.*30"):
        read(aid)


def test_an_image_under_two_names_is_refused(aid):
    with Image.open(aid / "AID/Beach/beach_2.jpg") as image:
        image.save(aid / "AID/Beach/Beach_2.png")
    with pytest.raises(
        AnnotationError, match=r"two images of one name.*Beach_2\.png.*beach_2\.jpg"
    ):
        read(aid)


def test_a_file_named_after_another_class_is_noted(aid):
    shutil.copy(aid / "AID/Beach/beach_2.jpg", aid / "AID/BareLand/beach_2.jpg")
    noted = [r.id for r in read(aid) if r.notes == ("name_of_another_class",)]
    assert noted == ["BareLand/beach_2.jpg"]


def test_f15_a_linked_image_out_of_the_root_is_refused(aid, tmp_path):
    outside = tmp_path / "outside.jpg"
    (aid / "AID/Beach/beach_9.jpg").rename(outside)
    (aid / "AID/Beach/beach_9.jpg").symlink_to(outside)
    with pytest.raises(UnsafePathError, match=r"Beach/beach_9\.jpg: .*follows a link"):
        read(aid)


def test_resisc45_lists_are_notes_and_every_image_is_test(tmp_path):
    folder = tmp_path / "resisc45" / "NWPU-RESISC45"
    for name in ("airplane_001", "airplane_002", "sea_ice_700"):
        (folder / name[:-4]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name[:-4] / f"{name}.jpg")
    (folder.parent / "resisc45-train.txt").write_text("airplane_001.jpg\n")
    (folder / "resisc45-test.txt").write_text("sea_ice_700.jpg\n")
    records = read(folder.parent, "resisc45")
    assert [(r.id, r.kind, str(r.split), r.notes) for r in records] == [
        ("airplane/airplane_001.jpg", "airplane", "test", ("list_train",)),
        ("airplane/airplane_002.jpg", "airplane", "test", ()),
        ("sea_ice/sea_ice_700.jpg", "sea ice", "test", ("list_test",)),
    ]


def test_two_trees_under_one_root_are_refused(aid):
    shutil.copytree(aid / "AID", aid / "AID_copy")
    with pytest.raises(AnnotationError, match="two trees, AID and AID_copy"):
        read(aid)


def test_f44_names_with_blanks_and_accents_work(aid):
    picture = aid / "AID/Beach/beach_1.jpg"
    for name in ("beach é.jpg", "beach a b.jpg"):
        shutil.copy(picture, picture.with_name(name))
    assert {"Beach/beach é.jpg", "Beach/beach a b.jpg"} <= {r.id for r in read(aid)}


def test_what_network_drives_leave_is_no_class_and_no_picture(aid):
    before = [record.id for record in read(aid)]
    (aid / "AID" / "@eaDir" / "beach_1.jpg@SynoEAStream").mkdir(parents=True)
    (aid / "AID" / "Beach" / "Thumbs.db").write_bytes(b"thumbs")
    (aid / "AID" / "Beach" / "@eaDir").mkdir()
    assert [record.id for record in read(aid)] == before


def test_a_picture_with_more_pages_is_noted(aid):
    one = Image.new("RGB", (20, 20))
    (aid / "AID" / "Beach" / "beach_2.jpg").unlink()
    path = aid / "AID" / "Beach" / "beach_2.tif"
    one.save(path, save_all=True, append_images=[one])
    notes = {record.id: record.notes for record in read(aid)}
    assert notes["Beach/beach_2.tif"] == ("multi_page",)
    assert notes["Beach/beach_1.jpg"] == ()
