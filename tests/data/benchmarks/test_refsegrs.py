"""RefSegRS: PackBits TIFF, threshold 50, the line break, broken lines.

See protocols/referring#refsegrs-files.
"""

import numpy as np
import pytest
from PIL import Image

from geomag.data.benchmarks.registry import read_benchmark
from geomag.errors import AnnotationError, ImageError
from geomag.geometry import mask_area


def read(root):
    return {record.id: record for record in read_benchmark("refsegrs", root)}


def test_lines_become_records_without_their_line_break(refsegrs):
    assert [(r.id, str(r.split), r.text) for r in read(refsegrs).values()] == [
        ("17", "train", "red car"),
        ("18", "train", "road marking on the left"),
        ("90", "val", "low vegetation"),
        ("105", "test", "bus"),
    ]


def test_the_files_are_packbits(refsegrs):
    for path in refsegrs.rglob("*.tif"):
        with Image.open(path) as image:
            assert image.tag_v2[259] == 32773, path


def test_grey_above_50_is_foreground_and_odd_values_are_noted(refsegrs):
    records = read(refsegrs)
    # 10 pixels of 255 above, 3 of 60 and a lone 255 below; the four of 40 are background
    assert mask_area(records["17"].masks[0]) == 10 + 3 + 1
    assert records["17"].notes == ("grey_mask",)
    assert mask_area(records["18"].masks[0]) == 10
    assert records["18"].notes == ()
    assert (records["17"].width, records["17"].height) == (10, 12)


def test_an_empty_mask_is_kept_and_noted(refsegrs):
    Image.fromarray(np.zeros((12, 10), np.uint8)).save(refsegrs / "RefSegRS/masks/90.tif")
    assert read(refsegrs)["90"].notes == ("empty_mask",)


@pytest.mark.parametrize("line", ["", "17", "car red", "17\tred car", "17  ", "-3 car", "٣ car"])
def test_a_line_without_an_id_a_space_and_a_phrase_is_named(refsegrs, line):
    path = refsegrs / "RefSegRS/output_phrase_train.txt"
    path.write_text(f"18 truck\n{line}\n17 red car\n")
    with pytest.raises(AnnotationError, match=r"output_phrase_train\.txt, line 2"):
        read(refsegrs)


def test_windows_line_ends_are_no_part_of_the_phrase(refsegrs):
    (refsegrs / "RefSegRS/output_phrase_test.txt").write_bytes(b"105 a bus\r\n")
    assert read(refsegrs)["105"].text == "a bus"


def test_f17_a_mask_of_another_size_is_named(refsegrs):
    Image.fromarray(np.zeros((10, 12), np.uint8)).save(refsegrs / "RefSegRS/masks/90.tif")
    with pytest.raises(AnnotationError, match=r"line 1, id 90: mask of 12 x 10.*10 x 12"):
        read(refsegrs)


def test_a_colour_mask_is_refused(refsegrs):
    Image.new("RGB", (10, 12)).save(refsegrs / "RefSegRS/masks/90.tif")
    with pytest.raises(ImageError, match=r"masks/90\.tif: mode RGB"):
        read(refsegrs)


def test_f20_a_missing_mask_is_named(refsegrs):
    (refsegrs / "RefSegRS/masks/105.tif").unlink()
    with pytest.raises(AnnotationError, match="masks: 1 images are missing: 105"):
        read(refsegrs)


def test_the_inner_folder_is_a_root_too(refsegrs):
    assert read(refsegrs / "RefSegRS")["17"].image == "images/17.tif"
    assert read(refsegrs)["17"].image == "RefSegRS/images/17.tif"


def test_an_absent_split_file_is_named(refsegrs):
    (path,) = refsegrs.rglob("output_phrase_val.txt")
    path.unlink()
    with pytest.raises(
        AnnotationError, match=r"no output_phrase_val\.txt, only output_phrase_test"
    ):
        read(refsegrs)
