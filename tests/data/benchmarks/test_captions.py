"""UCM and Sydney captions: raw sentences, repeats kept, mirrors accepted.

See protocols/captions#files.
"""

import json
import shutil

import pytest
from PIL import Image

from geomag.data.benchmarks.registry import read_benchmark
from geomag.data.benchmarks.sydney_captions.reader import READER as SYDNEY_CAPTIONS
from geomag.data.benchmarks.ucm_captions.reader import READER as UCM_CAPTIONS
from geomag.errors import AnnotationError, UnsafePathError


def read(root, name="ucm_captions"):
    return list(read_benchmark(name, root))


def change(root, edit):
    path = next(root.rglob("dataset.json"))
    tree = json.loads(path.read_text())
    edit(tree)
    path.write_text(json.dumps(tree))


def test_tif_in_the_json_is_found_as_jpg_on_disk(ucm):
    records = read(ucm)
    assert [(r.id, str(r.split), r.image) for r in records] == [
        ("1", "train", "UCM_captions/imgs/1.jpg"),
        ("2", "test", "UCM_captions/imgs/2.jpg"),
        ("10", "val", "UCM_captions/imgs/10.jpg"),
        ("3", "train", "UCM_captions/imgs/3.jpg"),
    ]
    assert (records[3].width, records[3].height) == (16, 15)


def test_five_raw_sentences_stay_with_repetition_and_blank_before_the_stop(ucm):
    answers = read(ucm)[1].answers
    assert answers[0] == answers[1] == "There are two planes ."
    assert len(answers) == 5


def test_the_class_is_unknown_in_a_set_that_is_not_whole(ucm):
    assert {r.kind for r in read(ucm)} == {""}


@pytest.mark.parametrize(
    ("reader", "number", "kind"),
    [
        (UCM_CAPTIONS, 1, "agricultural"),
        (UCM_CAPTIONS, 100, "agricultural"),
        (UCM_CAPTIONS, 101, "airplane"),
        (UCM_CAPTIONS, 2100, "tenniscourt"),
        (UCM_CAPTIONS, 2101, ""),
        (SYDNEY_CAPTIONS, 242, "residential"),
        (SYDNEY_CAPTIONS, 243, "airport"),
        (SYDNEY_CAPTIONS, 451, "ocean"),
        (SYDNEY_CAPTIONS, 613, "runway"),
    ],
)
def test_the_published_numbering_gives_the_class(reader, number, kind):
    assert reader._kind(str(number)) == kind


def test_images_may_stand_in_images_and_be_palette_pictures(ucm):
    imgs = ucm / "UCM_captions" / "imgs"
    with Image.open(imgs / "2.jpg") as image:
        image.convert("P").save(imgs / "2.PNG", format="PNG")
    (imgs / "2.jpg").unlink()
    imgs.rename(imgs.with_name("images"))
    record = read(ucm)[1]
    assert (record.image, record.notes) == ("UCM_captions/images/2.PNG", ("mode_P",))


@pytest.mark.parametrize("count", [4, 6, 0])
def test_another_number_of_sentences_is_named(ucm, count):
    change(ucm, lambda tree: tree["images"][2].update(sentences=[{"raw": "A ."}] * count))
    with pytest.raises(AnnotationError, match=rf"image 10, sentences: {count} of {count}.*5"):
        read(ucm)


def test_a_blank_sentence_is_named(ucm):
    change(ucm, lambda tree: tree["images"][2]["sentences"][4].update(raw=" \n"))
    with pytest.raises(AnnotationError, match="image 10, sentences: 4 of 5 hold text"):
        read(ucm)


def test_other_spellings_fail_with_the_keys_found(ucm):
    change(ucm, lambda tree: tree["images"][0].update(file_name=tree["images"][0].pop("filename")))
    with pytest.raises(AnnotationError, match=r"images\[0\]: keys \['file_name', .*'filename'"):
        read(ucm)


def test_f14_a_path_out_of_the_folder_is_refused(ucm):
    change(ucm, lambda tree: tree["images"][0].update(filename="../../1.tif"))
    with pytest.raises(UnsafePathError, match=r"images\[0\]: path '\.\./\.\./1\.tif'"):
        read(ucm)


def test_f20_an_archive_of_the_other_set_lacks_images(ucm):
    (ucm / "UCM_captions/imgs/10.jpg").unlink()
    with pytest.raises(AnnotationError, match="1 images are missing: 10"):
        read(ucm)


def test_f21_ucm_in_the_place_of_sydney_is_refused(ucm):
    sydney = ucm.with_name("sydney_captions")
    shutil.copytree(ucm, sydney)
    with pytest.raises(AnnotationError, match=r"dataset 'UCM'.*sydney_captions"):
        read(sydney, "sydney_captions")
    change(sydney, lambda tree: tree.update(dataset="Sydney_captions"))
    assert [r.benchmark for r in read(sydney, "sydney_captions")] == ["sydney_captions"] * 4


def test_an_unknown_split_is_named(ucm):
    change(ucm, lambda tree: tree["images"][0].update(split="restval"))
    with pytest.raises(AnnotationError, match="image 1, split: 'restval'"):
        read(ucm)


def test_files_that_differ_only_in_the_case_of_the_suffix_are_refused(ucm):
    imgs = ucm / "UCM_captions" / "imgs"
    shutil.copy(imgs / "2.jpg", imgs / "2.JPG")
    with pytest.raises(AnnotationError, match=r"2\.JPG and 2\.jpg differ only in case"):
        read(ucm)
