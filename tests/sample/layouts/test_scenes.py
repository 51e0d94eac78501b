"""AID and RESISC45: folders, file names, the three published lists."""

import re
from collections import Counter

from PIL import Image

from geomag.data.benchmarks.aid.spec import AID_CLASSES
from geomag.data.benchmarks.resisc45.spec import RESISC45_CLASSES


def test_aid_files_are_numbered_without_padding(drawn, out):
    root = out / "aid" / "AID"
    assert {folder.name for folder in root.iterdir()} == set(AID_CLASSES)
    for folder in root.iterdir():
        names = {path.name for path in folder.iterdir()}
        assert names == {f"{folder.name.lower()}_{k + 1}.jpg" for k in range(len(names))}
        with Image.open(folder / f"{folder.name.lower()}_1.jpg") as image:
            assert (image.format, image.size) == ("JPEG", (320, 320))


def test_resisc_files_are_numbered_with_three_digits_and_listed_once(drawn, out):
    root = out / "resisc45" / "NWPU-RESISC45"
    assert {folder.name for folder in root.iterdir()} == set(RESISC45_CLASSES)
    files = [path.name for path in root.rglob("*.jpg")]
    assert all(re.fullmatch(r"[a-z_]+_\d{3}\.jpg", name) for name in files)
    listed = {
        split: (out / "resisc45" / f"resisc45-{split}.txt").read_text().splitlines()
        for split in ("train", "val", "test")
    }
    assert Counter(files) == Counter(name for names in listed.values() for name in names)
    assert [len(listed[s]) / len(files) for s in ("train", "val", "test")] == [0.6, 0.2, 0.2]
