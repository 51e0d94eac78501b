"""RRSIS-D: sizes that differ, corner boxes, the odd class key, raw text.

See protocols/referring#rrsis-d-files.
"""

import numpy as np
import pytest
from PIL import Image

from geomag.data.benchmarks.registry import read_benchmark
from geomag.errors import AnnotationError, UnsafePathError
from geomag.geometry import PixelBox, decode_mask, mask_area


def read(tree):
    return {record.id: record for record in read_benchmark("rrsis_d", tree.write())}


def test_records_keep_text_split_class_and_corners(rrsis):
    records = read(rrsis)
    assert [(r.id, str(r.split), r.kind) for r in records.values()] == [
        ("7", "train", "ship"),
        ("11", "train", "expressway service area"),
        ("23", "val", "storage tank"),
        ("31", "test", "windmill"),
        ("40", "test", "airplane"),
    ]
    ship = records["7"]
    assert ship.text == "The red Ship on the left."
    assert ship.boxes == (PixelBox(3.0, 2.0, 9.0, 6.0),)
    assert ship.image == "images/rrsisd/JPEGImages/00007.jpg"
    assert mask_area(ship.masks[0]) == 4 * 6
    assert ship.notes == ()


def test_a_mask_of_another_size_is_resized_by_nearest_neighbour_and_noted(rrsis):
    record = read(rrsis)["11"]
    assert (record.width, record.height) == (20, 24)
    assert record.masks[0]["size"] == [24, 20]
    stored = np.zeros((20, 20), np.uint8)
    stored[4:8, 4:8] = 1
    wanted = np.asarray(Image.fromarray(stored).resize((20, 24), Image.Resampling.NEAREST))
    assert np.array_equal(decode_mask(record.masks[0]), wanted.astype(bool))
    assert record.notes == ("mask_resized",)


def test_an_empty_mask_stays_and_is_noted(rrsis):
    record = read(rrsis)["40"]
    assert mask_area(record.masks[0]) == 0
    assert record.notes == ("empty_mask",)


def test_overlapping_planes_keep_the_pixels_that_sum_to_two(rrsis):
    annotation = rrsis.instances["annotations"][0]
    annotation["segmentation"] *= 2
    assert mask_area(read(rrsis)["7"].masks[0]) == 24


def test_polygons_follow_the_coco_rule(rrsis):
    rrsis.instances["annotations"][0]["segmentation"] = [[2, 2, 5, 2, 5, 5, 2, 5]]
    assert mask_area(read(rrsis)["7"].masks[0]) == 9


def test_departures_that_the_protocol_reports_are_notes(rrsis):
    rrsis.refs[0]["image_id"] = 999
    rrsis.instances["images"][2]["height"] = 800
    records = read(rrsis)
    assert records["7"].notes == ("image_not_listed", "id_not_stem")
    assert records["23"].notes == ("listed_size_differs",)


def test_f19_two_sentences_of_one_id_both_reach_the_validator(rrsis):
    rrsis.refs[0]["sentences"].append({"sent_id": 8, "raw": "Another", "sent": "Another"})
    found = [r for r in read_benchmark("rrsis_d", rrsis.write()) if r.id == "7"]
    assert [(r.text, r.notes) for r in found] == [
        ("The red Ship on the left.", ("not_one_sentence",)),
        ("Another", ("not_one_sentence",)),
    ]


def test_one_more_folder_around_the_tree_is_found(rrsis):
    rrsis.write()
    outer = rrsis.root.with_name("outer")
    outer.mkdir()
    rrsis.root.rename(outer / "RRSIS-D")
    records = list(read_benchmark("rrsis_d", outer))
    assert records[0].image == "RRSIS-D/images/rrsisd/JPEGImages/00007.jpg"


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ("5220003", "whose runs cover 20 pixels"),
        ("", "whose runs cover 0 pixels"),
        ("{{{", ".*outside COCO's alphabet"),
        ("522P", ".*the last run is cut off"),
        ("522@", "with a negative run"),
    ],
)
def test_f17_runs_that_do_not_fill_the_mask_are_refused(rrsis, counts, found):
    rrsis.instances["annotations"][0]["segmentation"] = [{"size": [20, 20], "counts": counts}]
    with pytest.raises(AnnotationError, match=rf"annotation 7.*segmentation: a mask.*{found}"):
        read(rrsis)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([9, 2, 3, 6], r"box \(9, 2, 3, 6\).*xmin < xmax"),
        ([float("nan"), 2, 3, 6], "nan.*finite number"),
        (["216,00", 2, 300, 6], "'216,00'.*decimal point"),
        ([1, 2, 3], "3 values"),
    ],
)
def test_f18_a_broken_box_is_named(rrsis, box, message):
    rrsis.instances["annotations"][0]["bbox"] = box
    with pytest.raises(AnnotationError, match=rf"annotation 7, bbox: {message}"):
        read(rrsis)


def test_a_missing_class_key_shows_the_keys_found(rrsis):
    annotation = rrsis.instances["annotations"][1]
    annotation["category_id"] = annotation.pop("categories_id")
    with pytest.raises(
        AnnotationError, match=r"annotation 11: keys \[.*'category_id'.*categories_id"
    ):
        read(rrsis)


def test_an_annotation_that_is_absent_or_doubled_is_named(rrsis):
    rrsis.instances["annotations"][1]["id"] = 7
    with pytest.raises(AnnotationError, match="annotations: id 7 stands at 0 and at 1"):
        read(rrsis)
    rrsis.instances["annotations"][1]["id"] = 12
    with pytest.raises(AnnotationError, match=r"\[1\], ref_id 11: ann_id 11"):
        read(rrsis)


@pytest.mark.parametrize("name", ["../../secret.jpg", "/etc/passwd.jpg", "a\\b.jpg", "C:x.jpg"])
def test_f14_a_path_that_leaves_the_root_is_refused(rrsis, name):
    rrsis.refs[2]["file_name"] = name
    with pytest.raises(UnsafePathError, match=r"ref_id 23: path .* may leave the data root"):
        read(rrsis)


def test_f15_a_link_out_of_the_root_is_refused(rrsis, tmp_path):
    outside = tmp_path / "outside.jpg"
    (rrsis.images / "00023.jpg").rename(outside)
    (rrsis.images / "00023.jpg").symlink_to(outside)
    with pytest.raises(UnsafePathError, match=r"ref_id 23: .*follows a link out of"):
        read(rrsis)


def test_f15_an_annotation_file_that_is_a_link_out_of_the_root_is_refused(rrsis, tmp_path):
    rrsis.write()
    outside = tmp_path / "refs.p"
    rrsis.pickle_path.rename(outside)
    rrsis.pickle_path.symlink_to(outside)
    with pytest.raises(UnsafePathError, match=r"refs\(unc\)\.p"):
        list(read_benchmark("rrsis_d", rrsis.root))


def test_f20_missing_images_are_listed_with_their_total(rrsis):
    for number in (11, 40):
        (rrsis.images / f"{number:05}.jpg").unlink()
    with pytest.raises(AnnotationError, match="2 images are missing: 00011, 00040"):
        read(rrsis)


def test_an_empty_folder_says_what_was_looked_for(tmp_path):
    (tmp_path / "readme.txt").touch()
    with pytest.raises(AnnotationError, match=r"only \['readme.txt'\].*refs\(unc\)\.p"):
        list(read_benchmark("rrsis_d", tmp_path))


def test_f14_an_absolute_file_name_among_the_instances_is_refused(rrsis):
    rrsis.instances["images"][0]["file_name"] = "/etc/passwd"
    with pytest.raises(UnsafePathError, match=r"instances\.json, image 7, file_name"):
        read(rrsis)


def test_f19_one_sentence_of_two_refs_is_refused(rrsis):
    rrsis.refs[3]["sentences"][0]["sent_id"] = 7
    with pytest.raises(AnnotationError, match=r"ref_id 31: sent_id 7 also stands at .*ref_id 7"):
        read(rrsis)


def test_f20_beside_other_benchmarks_each_finds_its_own_pictures(rrsis, dior):
    """The parent of all benchmarks, given in place of one, and one level above a renamed folder."""
    rrsis.write()
    parent = rrsis.root.parent
    assert dior.parent == parent
    wanted = [record.id for record in read_benchmark("rrsis_d", rrsis.root)]
    assert [record.id for record in read_benchmark("rrsis_d", parent)] == wanted
    rrsis.root.rename(parent / "theirs")
    found = list(read_benchmark("rrsis_d", parent))
    assert [record.id for record in found] == wanted
    assert found[0].image.startswith("theirs/images/rrsisd/JPEGImages/")
    assert len(list(read_benchmark("dior_rsvg", parent))) == 5
