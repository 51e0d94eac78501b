"""Contact pictures: what is drawn where."""

import numpy as np
import pytest
from PIL import Image

from geomag.data.benchmarks import Split, Task
from geomag.data.records import Record, write_records
from geomag.errors import ImageError
from geomag.evaluate.score.inputs import Prediction
from geomag.geometry import encode_mask
from geomag.io import write_jsonl
from geomag.report.gallery import (
    chosen,
    contact_sheet,
    draw_all,
    misses,
    outline,
    plain,
    tile,
    words,
)


def square(y, x):
    mask = np.zeros((128, 128), dtype=bool)
    mask[y : y + 32, x : x + 32] = True
    return encode_mask(mask)


@pytest.fixture
def record(tmp_path):
    Image.new("RGB", (128, 128), (10, 20, 30)).save(tmp_path / "a.png")
    return Record(
        benchmark="rrsis_d",
        id="7",
        split=Split.TEST,
        task=Task.REFERRING,
        image="a.png",
        width=128,
        height=128,
        text="the <b>ship</b>",
        masks=(square(0, 0),),
    )


def test_outlines_and_windows_have_their_colours(tmp_path, record):
    answer = Prediction(masks=(square(64, 64),), extra={"crop_boxes": [[8, 72, 24, 88]]})
    pixels = np.asarray(tile(record, answer, tmp_path / "a.png"))
    assert pixels.shape == (256, 256, 3)
    assert pixels[0, 30].tolist() == [0, 220, 90]
    assert pixels[128, 150].tolist() == [255, 0, 200]
    assert pixels[160, 160].tolist() == [10, 20, 30]
    assert pixels[144, 30].tolist() == [255, 210, 0]


def test_outline_is_one_pixel_wide():
    mask = np.zeros((6, 6), dtype=bool)
    mask[1:5, 1:5] = True
    assert outline(mask).sum() == 12
    assert not outline(mask)[2:4, 2:4].any()


def test_words_under_a_tile(record):
    assert words(record, None) == ["7: the <b>ship</b>", "answer: (no prediction)"]
    same = Prediction(text="It is [SEG].", masks=record.masks)
    assert words(record, same)[-1] == "answer: IoU 1.00"
    assert words(record, Prediction())[-1] == "answer: IoU 0.00"


def test_text_that_could_mislead_is_shown_plainly():
    assert plain("a\u202eb\nc") == "a?b c"


def test_sheet_has_a_place_for_each_record(tmp_path, record):
    path = contact_sheet([record] * 5, {}, tmp_path, tmp_path / "out" / "s.png")
    with Image.open(path) as sheet:
        assert sheet.size == (4 * 256, 2 * (256 + 76))
        assert sheet.getpixel((100, 100)) == (10, 20, 30)
    (tmp_path / "a.png").unlink()
    with pytest.raises(ImageError, match=r"a\.png"):
        contact_sheet([record], {}, tmp_path, tmp_path / "s.png")


def test_chosen_records_are_spread_and_repeatable(record):
    rows = list(range(100))
    assert chosen(rows, 4) == [0, 25, 50, 75]
    assert chosen(rows[:3], 4) == [0, 1, 2]


def test_misses_are_taken_in_turn_from_each_kind(record):
    from dataclasses import replace

    rows = [
        replace(record, id=f"{kind}{i}", kind=kind) for kind in ("dam", "ship") for i in range(3)
    ]
    found = {r.id: Prediction(masks=record.masks) for r in rows if r.id in ("ship0", "dam2")}
    found["ship1"] = Prediction(masks=(square(64, 64),))
    assert [r.id for r in misses(rows, found, 3)] == ["dam0", "ship1", "dam1"]
    assert misses(rows, {r.id: Prediction(masks=record.masks) for r in rows}, 3) == []


def test_project_pictures_are_drawn_where_all_three_inputs_are(tmp_path, record):
    assert draw_all(tmp_path, tmp_path / "out", count=2) == {}
    (tmp_path / "data" / "rrsis_d").mkdir(parents=True)
    (tmp_path / "a.png").rename(tmp_path / "data" / "rrsis_d" / "a.png")
    write_records(tmp_path / "artifacts" / "records" / "rrsis_d" / "records.jsonl", [record])
    answers = tmp_path / "artifacts" / "predictions" / "rrsis_d" / "magcrop.jsonl"
    write_jsonl(answers, [{"id": "7", "masks": []}])
    drawn = draw_all(tmp_path, tmp_path / "out", count=2)
    assert sorted(drawn) == ["rrsis_d", "rrsis_d misses"]
    assert drawn["rrsis_d misses"].name == "rrsis_d-misses.png"
