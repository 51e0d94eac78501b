"""The 4K scenes: objects of 12 to 40 pixels, one meaning a phrase, the same bytes each time."""

import numpy as np
import pytest

from geomag.data.images import image_info
from geomag.data.records import read_records
from geomag.geometry import box_of_mask, decode_mask
from geomag.io import file_digest
from geomag.sample.large import HEIGHT, RECORDS, SIDES_PX, WIDTH, large_scene, write_large
from geomag.seeds import generator


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("4k")
    return root, write_large(root, seed=7, n_scenes=3)


def test_pictures_and_records_have_the_published_size(written):
    root, records = written
    assert list(read_records(root / RECORDS)) == records
    for record in records:
        info = image_info(root / record.image)
        assert (info.width, info.height) == (record.width, record.height) == (4096, 2160)


def test_targets_are_12_to_40_pixels_and_lie_where_their_box_says(written):
    _, records = written
    for record in records:
        box = box_of_mask(decode_mask(record.masks[0]))
        assert box == record.boxes[0]
        assert SIDES_PX[0] <= max(box.width, box.height) <= SIDES_PX[1]


def test_every_object_is_small_whole_and_clear_of_the_others():
    scene, target = large_scene(generator(7, "4k", 1))
    assert len(scene.objects) >= 12
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for thing in scene.objects:
        assert max(thing.box.width, thing.box.height) <= SIDES_PX[1]
        labels += thing.mask
    assert labels.max() == 1
    named = scene.objects[target.index]
    assert named.category in target.text.lower()


def test_equal_seeds_give_equal_bytes_and_a_longer_set_begins_alike(written, tmp_path):
    root, _ = written
    write_large(tmp_path, seed=7, n_scenes=1)
    assert file_digest(tmp_path / "00000.jpg") == file_digest(root / "00000.jpg")
    write_large(tmp_path, seed=8, n_scenes=1)
    assert file_digest(tmp_path / "00000.jpg") != file_digest(root / "00000.jpg")
