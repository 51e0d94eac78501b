"""RSVQA: stubs, whole lists, both image kinds, the other sensor, quirks of the texts."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

LISTS = ("images", "questions", "answers")
SETS = {
    "rsvqa_lr": ("LR_split_{}_{}.json", "all_{}.json", ("train", "val", "test")),
    "rsvqa_hr": ("USGS_split_{}_{}.json", "USGS{}.json", ("train", "val", "test", "test_phili")),
}


@pytest.fixture(scope="module", params=SETS)
def archive(request, drawn, out) -> tuple[Path, str, str, tuple[str, ...]]:
    return out / request.param, *SETS[request.param]


def load(path: Path, key: str) -> list[dict]:
    tree = json.loads(path.read_text())
    assert list(tree) == [key]
    return tree[key]


def test_split_lists_are_padded_with_stubs_up_to_the_last_active_row(archive):
    root, part, whole, splits = archive
    for key in LISTS:
        every = load(root / whole.format(key), key)
        assert [row["id"] for row in every] == list(range(len(every)))
        seen: Counter = Counter()
        for split in splits:
            rows = load(root / part.format(split, key), key)
            active = [row for row in rows if row["active"]]
            assert [row["id"] for row in rows] == list(range(len(rows)))
            assert rows[-1]["active"]
            assert len(active) < len(rows)
            assert all(
                row == {"id": row["id"], "active": False} for row in rows if not row["active"]
            )
            assert all(row == every[row["id"]] for row in active)
            seen.update(row["id"] for row in active)
        assert seen == Counter(range(len(every)))


def test_rows_refer_to_each_other_and_have_the_keys_of_the_files(archive):
    root, _, whole, _ = archive
    images, questions, answers = (load(root / whole.format(key), key) for key in LISTS)
    assert list(images[0]) == [
        "id", "date_added", "original_name", "sensor", "upperleft_map_x", "upperleft_map_y",
        "res_x", "res_y", "people_id", "type", "questions_ids", "active",
    ]  # fmt: skip
    assert list(questions[0]) == [
        "id", "date_added", "img_id", "people_id", "type", "question", "answers_ids", "active",
    ]  # fmt: skip
    assert list(answers[0]) == ["id", "date_added", "question_id", "people_id", "answer", "active"]
    for row in questions:
        assert row["id"] in images[row["img_id"]]["questions_ids"]
        assert [answers[k]["question_id"] for k in row["answers_ids"]] == [row["id"]]
    assert all(9 <= len(row["questions_ids"]) <= 12 for row in images)


def test_texts_have_the_quirks_of_the_generator(archive):
    root, _, whole, _ = archive
    questions = load(root / whole.format("questions"), "questions")
    kinds = Counter(row["type"] for row in questions)
    assert set(kinds) == {"presence", "comp", "count"} | (
        {"rural_urban"} if root.name == "rsvqa_lr" else {"area"}
    )
    for row in questions:
        assert row["question"].endswith("?") == (row["type"] != "rural_urban")
    assert any("  " in row["question"] for row in questions)
    suffixed = sum("in the image" in row["question"] for row in questions)
    assert 0.02 < suffixed / len(questions) < 0.25


def test_answers_are_of_their_type(archive):
    root, _, whole, _ = archive
    questions, answers = (load(root / whole.format(key), key) for key in LISTS[1:])
    found: dict[str, set[str]] = {}
    for row in questions:
        found.setdefault(row["type"], set()).add(answers[row["answers_ids"][0]]["answer"])
    assert found["presence"] == found["comp"] == {"yes", "no"}
    assert all(text.isdecimal() for text in found["count"])
    assert all(t.endswith("m2") and t[:-2].isdecimal() for t in found.get("area", ()))
    assert found.get("rural_urban", {"rural", "urban"}) == {"rural", "urban"}


def test_low_resolution_has_one_rural_urban_question_an_image(drawn, out):
    questions = load(out / "rsvqa_lr" / "all_questions.json", "questions")
    asked = Counter(row["img_id"] for row in questions if row["type"] == "rural_urban")
    assert set(asked.values()) == {1}
    assert len(asked) == len(load(out / "rsvqa_lr" / "all_images.json", "images"))


def test_files_are_named_after_ids_not_after_the_original_name(archive):
    root, _, whole, _ = archive
    images = load(root / whole.format("images"), "images")
    folder = root / ("Images_LR" if root.name == "rsvqa_lr" else "Data")
    assert {p.stem for p in folder.iterdir()} == {str(row["id"]) for row in images}
    assert all(Path(row["original_name"]).stem != str(row["id"]) for row in images)


def test_tif_and_png_of_one_id_have_the_same_pixels(drawn, out):
    folder = out / "rsvqa_hr" / "Data"
    tifs = sorted(folder.glob("*.tif"))
    assert len(tifs) == len(list(folder.glob("*.png")))
    for path in tifs[:6]:
        one, two = (np.asarray(Image.open(p)) for p in (path, path.with_suffix(".png")))
        assert one.shape == (352, 352, 3)
        assert (one == two).all()


def test_test2_comes_from_a_warmer_camera(drawn, out):
    def warmth(split: str) -> float:
        rows = load(out / "rsvqa_hr" / f"USGS_split_{split}_images.json", "images")
        pictures = [
            np.asarray(Image.open(out / f"rsvqa_hr/Data/{row['id']}.png")).astype(float)
            for row in rows
            if row["active"]
        ]
        return float(np.mean([p[..., 0].mean() / p[..., 2].mean() for p in pictures]))

    assert warmth("test_phili") > 1.2 * warmth("train")
