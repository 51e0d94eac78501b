"""GeoPixelD: patch names, polygons per [SEG], PNGs without JSON, the conversation list."""

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geomag.data.benchmarks.registry import read_benchmark
from geomag.geometry import decode_mask
from geomag.sample.layouts.gcg import PROMPTS

NAME = re.compile(r"P(\d{4})_(\d+)_(\d+)_(\d+)_(\d+)")
WHOLE = {"red": (205, 45, 40), "blue": (45, 75, 205), "yellow": (240, 210, 50)}


@pytest.fixture(scope="module")
def base(drawn, out) -> Path:
    return out / "geopixeld" / "GeoPixelD"


@pytest.fixture(scope="module")
def rows(base) -> dict[Path, dict]:
    paths = [path for part in ("train", "test") for path in (base / part).glob("*.json")]
    return {path: json.loads(path.read_text()) for path in paths}


def test_every_seg_has_its_polygons_inside_the_patch(rows):
    for row in rows.values():
        assert len(row["polygons"]) == row["gcg_description"].count("[SEG]") > 0
        assert len(re.findall(r"<p> [^<>]+ </p> \[SEG\]", row["gcg_description"])) == len(
            row["polygons"]
        )
        for x, y in (point for group in row["polygons"] for part in group for point in part):
            assert type(x) is int
            assert 0 <= x < 384
            assert 0 <= y < 384


def test_some_groups_have_several_polygons(rows):
    assert max(len(group) for row in rows.values() for group in row["polygons"]) > 1


def test_names_give_rows_before_columns_and_several_patches_a_source(base, rows):
    sources: dict[str, Counter] = {"train": Counter(), "test": Counter()}
    offsets = set()
    for path in rows:
        number, y0, y1, x0, x1 = map(int, NAME.fullmatch(path.stem).groups())
        assert (y1 - y0, x1 - x0) == (384, 384)
        with Image.open(path.with_suffix(".png")) as image:
            assert image.size == (384, 384)
        sources[path.parent.name][number] += 1
        offsets.add((y0, x0))
    assert {(0, 384), (384, 0)} <= offsets
    assert max(sources["train"].values()) == 3
    assert not sources["train"].keys() & sources["test"].keys()


def test_some_pngs_have_no_json(base, rows):
    for part in ("train", "test"):
        stems = {path.stem for path in rows if path.parent.name == part}
        bare = {path.stem for path in (base / part).glob("*.png")} - stems
        assert len(bare) == 1
        assert {NAME.fullmatch(stem)[1] for stem in bare} <= {NAME.fullmatch(s)[1] for s in stems}


def test_img_is_written_both_ways(rows):
    ways = Counter(row["img"] == f"{path.stem}.png" for path, row in rows.items())
    assert ways[True] > 3
    assert ways[False] > 3
    for path, row in rows.items():
        assert row["img"] in (
            f"{path.stem}.png",
            f"data/GeoPixelD/{path.parent.name}/{path.stem}.png",
        )


def test_conversations_cover_train_only(base, rows):
    turns = json.loads((base / "GeoPixelD.json").read_text())
    assert {type(turn["image"]) for turn in turns} == {str, list}
    told = {}
    for turn in turns:
        human, bot = turn["conversations"]
        assert (human["from"], bot["from"]) == ("human", "bot")
        assert human["value"].removeprefix("<ImageHere> ") in PROMPTS
        told[Path(turn["polygons"]).name] = bot["value"]
    assert told == {
        p.name: r["gcg_description"] for p, r in rows.items() if p.parent.name == "train"
    }
    assert len(set(PROMPTS)) == 9


def test_colour_words_are_the_colours_under_the_masks(drawn, out):
    checked = 0
    for record in read_benchmark("geopixeld", out / "geopixeld"):
        image = np.asarray(Image.open(out / "geopixeld" / record.image))
        for phrase, mask in zip(record.phrases, record.masks, strict=True):
            word = next((w for w in WHOLE if w in phrase.split()), None)
            if word and re.search("airplane|ship|vehicle|bridge|tank", phrase):
                middle = np.median(image[decode_mask(mask)], axis=0)
                assert min(WHOLE, key=lambda w: np.abs(middle - WHOLE[w]).sum()) == word
                checked += 1
    assert checked >= 3
