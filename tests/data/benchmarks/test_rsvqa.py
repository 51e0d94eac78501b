"""RSVQA: stubs, ids, one answer, tif before png, both sets (protocols/rsvqa#files)."""

import json

import pytest
from PIL import Image

from geomag.data.benchmarks.registry import read_benchmark
from geomag.errors import AnnotationError, ImageError


def read(tree, name="rsvqa_lr"):
    return list(read_benchmark(name, tree.root))


def test_stubs_are_skipped_and_rows_count_by_id(rsvqa_lr):
    records = read(rsvqa_lr)
    assert [(r.id, str(r.split), r.kind, r.answers) for r in records[:3]] == [
        ("1", "train", "presence", ("yes",)),
        ("3", "train", "comp", ("no",)),
        ("4", "train", "count", ("12",)),
    ]
    assert [r.id for r in records[3:]] == ["11", "13", "14", "21", "23", "24"]
    assert records[3].image == "Images_LR/3.tif"


def test_five_entries_of_which_two_are_active_give_two_samples(rsvqa_lr):
    # The worked example of the protocol (2.12): ids 0 to 4, active only at 1 and 3.
    path = rsvqa_lr.path("train", "questions")
    rows = json.loads(path.read_text())["questions"]
    rows[4] = {"id": 4, "active": False}
    path.write_text(json.dumps({"questions": rows}))
    assert [set(row) for row in rows if not row["active"]] == [{"id", "active"}] * 3
    assert [r.id for r in read(rsvqa_lr) if r.split == "train"] == ["1", "3"]


def test_text_stays_raw_with_its_double_blank(rsvqa_lr):
    assert read(rsvqa_lr)[0].text == "Is a  building present?"


def test_hr_has_a_second_test_split(rsvqa_hr):
    records = read(rsvqa_hr, "rsvqa_hr")
    assert {str(r.split) for r in records} == {"train", "val", "test", "test_phili"}
    assert [r.id for r in records if r.split == "test_phili"] == ["31", "33", "34"]


def test_tif_is_read_before_png_and_png_where_there_is_no_tif(rsvqa_hr):
    with Image.open(rsvqa_hr.folder / "1.tif") as image:
        image.save(rsvqa_hr.folder / "1.png")
    assert read(rsvqa_hr, "rsvqa_hr")[0].image == "Data/1.tif"
    (rsvqa_hr.folder / "1.tif").unlink()
    assert read(rsvqa_hr, "rsvqa_hr")[0].image == "Data/1.png"


def test_an_image_of_other_bands_is_refused_not_scaled(rsvqa_lr):
    Image.new("I;16", (20, 20)).save(rsvqa_lr.folder / "3.tif")
    with pytest.raises(ImageError, match=r"Images_LR/3\.tif: mode I;16"):
        read(rsvqa_lr)


@pytest.mark.parametrize(
    ("part", "position", "values", "message"),
    [
        ("questions", 3, {"answers_ids": []}, r"question 3, answers_ids: \[\]"),
        ("questions", 3, {"answers_ids": [103, 104]}, r"answers_ids: \[103, 104\]"),
        ("questions", 3, {"answers_ids": [999]}, r"answers_ids: \[999\].*one active answer"),
        ("questions", 3, {"answers_ids": [104]}, "answer 104 of question 4"),
        ("questions", 3, {"type": "comparison"}, "question 3, type: 'comparison'"),
        ("questions", 3, {"img_id": 0}, "question 3: img_id 0.*active image"),
        ("questions", 3, {"id": 1}, r"active questions: id 1 stands at 0 and at 1"),
        ("questions", 3, {"question": None}, "question 3, question: None"),
        ("questions", 3, {"active": 1}, r"questions\[3\], active: 1.*bool"),
        ("answers", 103, {"answer": 12}, "answer 103, answer: 12.*str"),
    ],
)
def test_a_broken_row_is_named_by_file_and_id(rsvqa_lr, part, position, values, message):
    rsvqa_lr.change("train", part, position, **values)
    with pytest.raises(AnnotationError, match=rf"LR_split_train_\w+\.json, .*{message}"):
        read(rsvqa_lr)


def test_f20_missing_images_of_active_rows_are_counted(rsvqa_lr):
    (rsvqa_lr.folder / "5.tif").unlink()
    with pytest.raises(AnnotationError, match="Images_LR: 1 images are missing: 5"):
        read(rsvqa_lr)


def test_a_missing_split_file_is_named(rsvqa_lr):
    rsvqa_lr.path("val", "answers").unlink()
    with pytest.raises(AnnotationError, match=r"no LR_split_val_answers\.json, only LR_split_test"):
        read(rsvqa_lr)


def test_a_renamed_image_folder_is_accepted_and_another_is_not(rsvqa_lr):
    rsvqa_lr.folder.rename(rsvqa_lr.root / "images")
    assert read(rsvqa_lr)[0].image == "images/1.tif"
    (rsvqa_lr.root / "images").rename(rsvqa_lr.root / "pictures")
    with pytest.raises(AnnotationError, match=r"no image folder.*Images_LR"):
        read(rsvqa_lr)
