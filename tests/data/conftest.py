"""Hand-made downloads that follow the protocol pages, five to a dozen records each.

Nothing here comes from the sample writers: a mistake they share with a reader would not show.
"""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco


def picture(path: Path, width: int = 20, height: int = 20, *, mode: str = "RGB", seed: int = 0):
    path.parent.mkdir(parents=True, exist_ok=True)
    depth = {"RGB": 3, "RGBA": 4, "L": 1}[mode]
    noise = np.random.default_rng([seed, *path.name.encode()]).integers(
        0, 256, (height, width, depth), dtype=np.uint8
    )
    Image.fromarray(noise if depth > 1 else noise[..., 0]).save(path)


def rle(rows: slice, cols: slice, height: int = 20, width: int = 20) -> dict:
    mask = np.zeros((height, width), np.uint8, order="F")
    mask[rows, cols] = 1
    encoded = coco.encode(mask)
    return {"size": [height, width], "counts": encoded["counts"].decode()}


def dump(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


RRSIS_NAMES = [
    "Expressway-Service-area", "Expressway-toll-station", "airplane", "airport", "baseballfield",
    "basketballcourt", "bridge", "chimney", "dam", "golffield", "groundtrackfield", "harbor",
    "overpass", "ship", "stadium", "storagetank", "tenniscourt", "trainstation", "vehicle",
    "windmill",
]  # fmt: skip


class RrsisTree:
    """Five refs: 7 train ship, 11 train mismatched mask, 23 val, 31 test, 40 test with no pixel."""

    rows = (
        (7, "train", 13, "The red Ship on the left.", rle(slice(2, 6), slice(3, 9)), [3, 2, 9, 6]),
        (11, "train", 0, "A service area", rle(slice(4, 8), slice(4, 8)), [4, 4, 8, 8]),
        (23, "val", 15, "The tank", rle(slice(0, 3), slice(0, 3)), [0, 0, 3, 3]),
        (31, "testA", 19, "The windmill", rle(slice(1, 9), slice(5, 6)), [5, 1, 6, 9]),
        (40, "test", 2, "The plane", rle(slice(0, 0), slice(0, 0)), [1, 1, 2, 2]),
    )

    def __init__(self, root: Path):
        self.root = root
        self.refs = [
            {
                "ref_id": i, "ann_id": i, "image_id": i, "category_id": category,
                "file_name": f"{i:05}.jpg", "split": split, "sent_ids": [i],
                "sentences": [{"sent_id": i, "raw": raw, "sent": raw, "tokens": raw.split()}],
            }
            for i, split, category, raw, _, _ in self.rows
        ]  # fmt: skip
        sizes = {i: (20, 24 if i == 11 else 20) for i, *_ in self.rows}
        self.instances = {
            "images": [
                {"id": i, "file_name": f"{i:05}.jpg", "width": w, "height": h}
                for i, (w, h) in sizes.items()
            ],
            "annotations": [
                {"id": i, "image_id": i, "categories_id": category, "segmentation": [mask],
                 "bbox": box, "area": 279_213}
                for i, _, category, _, mask, box in self.rows
            ],
            "categories": [{"id": k, "name": name} for k, name in enumerate(RRSIS_NAMES)],
        }  # fmt: skip
        for i, (width, height) in sizes.items():
            picture(self.images / f"{i:05}.jpg", width, height)

    @property
    def images(self) -> Path:
        return self.root / "images" / "rrsisd" / "JPEGImages"

    @property
    def pickle_path(self) -> Path:
        return self.root / "rrsisd" / "refs(unc).p"

    def write(self) -> Path:
        dump(self.root / "rrsisd" / "instances.json", self.instances)
        self.pickle_path.write_bytes(pickle.dumps(self.refs, protocol=2))
        return self.root


class RrsisDrop(RrsisTree):
    """Two new train refs, on pictures of their own."""

    rows = (
        (101, "train", 13, "A grey ship", rle(slice(1, 5), slice(1, 5)), [1, 1, 5, 5]),
        (102, "train", 6, "The long bridge", rle(slice(0, 9), slice(3, 6)), [3, 0, 6, 9]),
    )


def rrsis_project(root: Path) -> Path:
    """A project without git whose ``data/`` has the five refs."""
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (root / "dvc.yaml").write_text("stages: {}\n")
    RrsisTree(root / "data" / "rrsis_d").write()
    return root


@pytest.fixture
def rrsis(tmp_path) -> RrsisTree:
    return RrsisTree(tmp_path / "rrsis_d")


@pytest.fixture
def refsegrs(tmp_path) -> Path:
    """Four phrases; the mask of 17 holds 40, 60 and 255 (threshold 50); all PackBits."""
    folder = tmp_path / "refsegrs" / "RefSegRS"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for stem in (17, 18, 90, 105):
        colour = np.full((12, 10, 3), stem, np.uint8)
        grey = np.zeros((12, 10), np.uint8)
        grey[0:2, 0:5] = 255
        if stem == 17:
            grey[5, 0:4], grey[6, 0:3], grey[11, 9] = 40, 60, 255
        for name, array in (("images", colour), ("masks", grey)):
            Image.fromarray(array).save(folder / name / f"{stem}.tif", compression="packbits")
    (folder / "output_phrase_train.txt").write_text("17 red car\n18 road marking on the left\n")
    (folder / "output_phrase_val.txt").write_text("90 low vegetation\n")
    (folder / "output_phrase_test.txt").write_text("105 bus")
    return folder.parent


SQUARE = [[2, 2], [5, 2], [5, 5], [2, 5]]


class GeoPixelTree:
    """Patches of eleven sources in train, one of them with a neighbour, and two test patches."""

    text = "Two <p> ships-1 </p> [SEG] by <p> a pier </p> [SEG]."

    def __init__(self, root: Path):
        self.root = root
        self.folder = root / "GeoPixelD"
        names = [f"P{n:04}_0_16_0_20" for n in range(11)] + ["P0003_0_16_15_35"]
        for name in names:
            self.patch("train", name, img=f"data/GeoPixelD/train/{name}.png")
        for name in ("P0100_0_16_0_20", "P2100"):
            self.patch("test", name, img=f"{name}.png")
        dump(self.folder / "GeoPixelD.json", [])

    def patch(self, part: str, name: str, **changes) -> Path:
        row = {
            "id": 1, "img": f"{name}.png", "gcg_description": f"{self.text} So {name}.",
            "polygons": [[SQUARE, [[10, 10], [12, 10], [12, 12]]], [[[18, 0], [20, 0], [20, 3]]]],
            **changes,
        }  # fmt: skip
        path = self.folder / part / f"{name}.json"
        dump(path, {key: value for key, value in row.items() if value is not None})
        if not path.with_suffix(".png").exists():
            picture(path.with_suffix(".png"), 20, 16, seed=len(part))
        return path


@pytest.fixture
def geopixel(tmp_path) -> GeoPixelTree:
    return GeoPixelTree(tmp_path / "geopixeld")


def dior_object(name: str, box, description: str = "the secret class word") -> str:
    corners = "".join(
        f"<{tag}>{value}</{tag}>"
        for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    # The order of the tags differs from the download's: a reader by position would fail.
    return (
        f"<object><description>{description}</description><name>{name}</name>"
        f"<pose>Unspecified</pose><bndbox>{corners}</bndbox></object>"
    )


@pytest.fixture
def dior(tmp_path) -> Path:
    """Three XML, five objects; files made in an order that is not that of their names."""
    folder = tmp_path / "dior_rsvg" / "DIOR_RSVG"
    (folder / "Annotations").mkdir(parents=True)
    files = {
        "00312": [dior_object("Expressway-Service-area", (1, 2, 30, 40))],
        "00004": [
            dior_object("storagetank", (5, 5, 9, 9)),
            dior_object("vehicle", (10, 11, 14, 15)),
        ],
        "00020": [dior_object("golffield", (0, 0, 8, 8)), dior_object("ship", (20, 20, 40, 30))],
    }
    for stem, objects in files.items():
        (folder / "Annotations" / f"{stem}.xml").write_text(
            f"<annotation><filename>{stem}.jpg</filename>{''.join(objects)}</annotation>"
        )
        picture(folder / "JPEGImages" / f"{stem}.jpg", 40, 40)
    (folder / "train.txt").write_text("0\n2\n3\n")
    (folder / "val.txt").write_text("1\n")
    (folder / "test.txt").write_text("4\n")
    return folder.parent


class RsvqaTree:
    """Two active images; splits padded with stubs of {id, active}."""

    def __init__(self, root: Path, prefix: str, folder: str, splits: tuple[str, ...]):
        self.root, self.prefix = root, prefix
        self.folder = root / folder
        for position, split in enumerate(splits):
            self.split(split, position)

    def split(self, split: str, position: int) -> None:
        image_id, first = 2 * position + 1, 10 * position
        picture(self.folder / f"{image_id}.tif", seed=image_id)
        asked = [
            (first + 1, "presence", "Is a  building present?", "yes"),
            (first + 3, "comp", "Are there more roads than pitchs?", "no"),
            (first + 4, "count", "What is the number of roads?", "12"),
        ]
        last = first + 4
        questions = [{"id": i, "active": False} for i in range(last + 1)]
        answers = [{"id": i, "active": False} for i in range(last + 101)]
        for i, kind, text, answer in asked:
            questions[i] = {
                "id": i, "date_added": 1.5, "img_id": image_id, "people_id": 0, "type": kind,
                "question": text, "answers_ids": [i + 100], "active": True,
            }  # fmt: skip
            answers[i + 100] = {
                "id": i + 100, "date_added": 1.5, "question_id": i, "people_id": 0,
                "answer": answer, "active": True,
            }  # fmt: skip
        images = [{"id": i, "active": False} for i in range(image_id)]
        images.append({"id": image_id, "original_name": "1206.png", "active": True})
        for part, rows in (("images", images), ("questions", questions), ("answers", answers)):
            dump(self.path(split, part), {part: rows})

    def path(self, split: str, part: str) -> Path:
        return self.root / f"{self.prefix}_split_{split}_{part}.json"

    def change(self, split: str, part: str, position: int, **values) -> None:
        tree = json.loads(self.path(split, part).read_text())
        tree[part][position].update(values)
        dump(self.path(split, part), tree)


@pytest.fixture
def rsvqa_lr(tmp_path) -> RsvqaTree:
    return RsvqaTree(tmp_path / "rsvqa_lr", "LR", "Images_LR", ("train", "val", "test"))


@pytest.fixture
def rsvqa_hr(tmp_path) -> RsvqaTree:
    splits = ("train", "val", "test", "test_phili")
    return RsvqaTree(tmp_path / "rsvqa_hr", "USGS", "Data", splits)


@pytest.fixture
def ucm(tmp_path) -> Path:
    """Four images: json says .tif, disk holds .jpg; image 2 repeats a sentence."""
    folder = tmp_path / "ucm_captions" / "UCM_captions"
    rows = []
    for n, split in ((1, "train"), (2, "test"), (10, "val"), (3, "train")):
        raw = [f"There are {word} planes ." for word in ("two", "some", "many", "a few", f"{n}")]
        if n == 2:
            raw[1] = raw[0]
        sentences = [
            {"tokens": text.split()[:-1], "raw": text, "imgid": n - 1, "sentid": 5 * n + k}
            for k, text in enumerate(raw)
        ]
        rows.append(
            {"filename": f"{n}.tif", "imgid": n - 1, "sentids": [5 * n + k for k in range(5)],
             "split": split, "sentences": sentences}
        )  # fmt: skip
        picture(folder / "imgs" / f"{n}.jpg", 16, 15 if n == 3 else 16)
    dump(folder / "dataset.json", {"dataset": "UCM", "images": rows})
    return folder.parent


@pytest.fixture
def aid(tmp_path) -> Path:
    """Three classes, 4 + 2 + 1 images, with the strays a file browser leaves."""
    folder = tmp_path / "aid" / "AID"
    for name, numbers in (("Beach", (1, 2, 10, 9)), ("BareLand", (1, 2)), ("StorageTanks", (7,))):
        for n in numbers:
            picture(folder / name / f"{name.lower()}_{n}.jpg", 12, 12)
    (folder / "Beach" / "Thumbs.db").write_bytes(b"\0")
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "__MACOSX").mkdir()
    return folder.parent
