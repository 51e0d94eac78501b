"""Records of one image stand together and share its pixels."""

from PIL import Image

from geomag.data.benchmarks import Split, Task
from geomag.data.by_image import by_image, read_each_once
from geomag.data.records import Record


def record(name, image):
    place = {"benchmark": "rsvqa_lr", "split": Split.TEST, "task": Task.VQA}
    return Record(**place, id=name, image=image, width=4, height=3)


RECORDS = [record(n, image) for n, image in zip("abcd", ["y", "x", "y", "x"], strict=True)]


def test_images_keep_their_order_and_so_do_their_records():
    assert [r.id for r in by_image(RECORDS)] == ["a", "c", "b", "d"]
    assert by_image([]) == []


def test_an_image_is_read_once_for_all_its_records(tmp_path):
    for number, name in enumerate("xy"):
        Image.new("RGB", (4, 3), (number, 0, 0)).save(tmp_path / name, format="PNG")
    images = read_each_once(tmp_path, RECORDS)
    assert [int(image[0, 0, 0]) for image in images] == [1, 0, 1, 0]
    assert images[0] is images[2]
    assert images[1] is images[3]
