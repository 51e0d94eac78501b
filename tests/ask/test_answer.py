"""From a raster to its answer folder, with a segmenter whose right answer is known."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine

from geomag.ask.answer import ask_image, check
from geomag.ask.options import AskOptions
from geomag.config import load_profile
from geomag.data.benchmarks import Task
from geomag.errors import GeoMagError, ResumeError
from geomag.inference.framing import frame_prompt
from geomag.inference.output import DrawnMask, PipelineOutput
from geomag.inference.prompt import read_prompt
from geomag.magcrop.granularity import TaskGuess
from tests.ask.layers import read_layer
from tests.ask.rasters import AT, UTM, BrightPixels, grey, write_tif

PROMPT = "Mark the red ship in this image with a mask."
MASK, PICTURES = ("mask.tif", "mask.tif.aux.xml"), ("overlay.png", "heatmap.png")
SMALL = {"tile_px": 32, "overlap_px": 8}


def ask(path, out, model=None, words=PROMPT, **options):
    lines = []
    answer = ask_image(
        model or BrightPixels(), path, words, out, AskOptions(**options), log=lines.append
    )
    assert json.loads((out / "answer.json").read_text()) == answer
    return answer


def mask_of(out):
    with rasterio.open(out / "mask.tif") as raster:
        return raster.read(1)


def test_a_geotiff_gets_mask_objects_and_provenance(tmp_path):
    path = write_tif(tmp_path / "a.tif", grey(40, 60, (10, 5, 30, 15)))
    answer = ask(path, tmp_path / "out")
    assert answer["status"] == "whole"
    assert answer["masks"] == [
        {"value": 1, "phrase": "the red ship", "score": 0.8, "area_px": 200, "objects": 1}
    ]
    assert answer["model"] == {"base": "b1", "decoder": "d1"}
    assert answer["files"] == [*MASK, "objects.gpkg", "objects.geojson", *PICTURES]
    with rasterio.open(tmp_path / "out" / "mask.tif") as raster:
        assert raster.crs.to_string() == UTM
        assert raster.transform == AT
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.dtypes == ("uint8",)
        wanted = np.zeros((40, 60), dtype=np.uint8)
        wanted[5:15, 10:30] = 1
        assert np.array_equal(raster.read(1), wanted)
    code, (one,) = read_layer(tmp_path / "out" / "objects.gpkg")
    assert code == "32631"
    assert one["area"] == pytest.approx(200 * 0.25)
    assert one["model"] == "base:b1 decoder:d1"
    assert not (tmp_path / "out" / ".geomag" / "windows").exists()


def test_f07_without_a_crs_objects_are_pixels_and_geojson_only_on_request(tmp_path):
    path = write_tif(tmp_path / "a.tif", grey(20, 20, (2, 3, 6, 5)), crs=None)
    answer = ask(path, tmp_path / "out")
    assert answer["files"] == [*MASK, "objects.gpkg", *PICTURES]
    assert any("no CRS" in note for note in answer["notes"])
    assert read_layer(tmp_path / "out" / "objects.gpkg")[1][0]["area_m2"] is None
    ask(path, tmp_path / "out", formats=("geojson",))
    tree = json.loads((tmp_path / "out" / "objects.geojson").read_text())
    assert "rows growing downward" in tree["coordinates"]
    corners = {tuple(p) for p in tree["features"][0]["geometry"]["coordinates"][0]}
    assert corners == {(2, 3), (6, 3), (6, 5), (2, 5)}
    assert not (tmp_path / "out" / "objects.gpkg").exists()  # the earlier answer's


@pytest.mark.parametrize(
    "transform",
    [
        Affine.translation(500_000, 5_000_000) @ Affine.rotation(30) @ Affine.scale(0.5, -0.5),
        Affine(0.5, 0, 500_000, 0, 0.5, 5_000_000),
        Affine(-0.5, 0, 500_000, 0, -0.5, 5_000_000),
    ],
    ids=["rotated", "south-up", "flipped"],
)
def test_f08_any_transform_is_kept_and_objects_follow_it(tmp_path, transform):
    path = write_tif(tmp_path / "a.tif", grey(20, 20, (2, 3, 6, 5)), transform=transform)
    ask(path, tmp_path / "out", formats=("geojson", "gpkg"))
    with rasterio.open(tmp_path / "out" / "mask.tif") as raster:
        assert raster.transform.almost_equals(transform)
    row = read_layer(tmp_path / "out" / "objects.gpkg")[1][0]
    assert row["area"] == pytest.approx(8 * 0.25)
    assert float(row["area_m2"]) == pytest.approx(2.0)


def test_f06_missing_pixels_stay_missing_and_empty_windows_are_not_asked(tmp_path):
    pixels = grey(40, 200, (150, 10, 160, 20)).astype(np.int16)
    pixels[:, :, :100] = -1
    path = write_tif(tmp_path / "a.tif", pixels, nodata=-1)
    model = BrightPixels()
    answer = ask(path, tmp_path / "out", model, **SMALL)
    found = mask_of(tmp_path / "out")
    assert (found[:, :100] == 255).all()
    assert (found[:, 100:] != 255).all()
    assert (found == 1).sum() == 100
    assert answer["tiles"]["no data"] == 6  # columns 0, 24 and 48 of two rows end before 100
    assert len(model.asked) == answer["tiles"]["answered"]
    assert any("6 of" in note for note in answer["notes"])


@pytest.mark.parametrize("tile", [{"tile_px": 32, "overlap_px": 8}, {"tile_px": 50}])
def test_f11_an_object_across_seams_is_one_whatever_the_windows(tmp_path, tile):
    tile = {"overlap_px": 10, **tile}
    path = write_tif(tmp_path / "a.tif", grey(150, 150, (5, 60, 140, 80), (100, 100, 110, 120)))
    ask(path, tmp_path / "whole")
    answer = ask(path, tmp_path / "tiled", **tile)
    assert answer["tiles"]["count"] > 4
    assert np.array_equal(mask_of(tmp_path / "whole"), mask_of(tmp_path / "tiled"))
    whole, tiled = (read_layer(tmp_path / name / "objects.gpkg")[1] for name in ("whole", "tiled"))
    assert [row["area_px"] for row in tiled] == [2700, 200]
    assert tiled == whole


def test_f12_a_failed_window_is_partial_listed_and_asked_again_alone(tmp_path):
    pixels = grey(40, 200, (150, 10, 160, 20))
    pixels[:, :, :20] = 7
    path = write_tif(tmp_path / "a.tif", pixels)
    model, out = BrightPixels(), tmp_path / "out"
    model.failing = lambda image: (image == 7).any()
    answer = ask(path, out, model, **SMALL)
    assert answer["status"] == "partial"
    failures = answer["tiles"]["failures"]
    assert [f["box"][:2] for f in failures] == [[0, 0], [0, 8]]
    assert {f["reason"] for f in failures} == {"CUDA out of memory"}
    found = mask_of(out)
    assert (found[:, :24] == 255).all()  # a hole, and told apart from background
    assert (found[:, 32:] != 255).all()

    again = BrightPixels()
    answer = ask(path, out, again, resume=True, **SMALL)
    assert answer["status"] == "whole"
    assert len(again.asked) == 2
    ask(path, tmp_path / "fresh", **SMALL)
    assert np.array_equal(mask_of(out), mask_of(tmp_path / "fresh"))


def test_f12_another_question_does_not_go_on_from_these_windows(tmp_path):
    path = write_tif(tmp_path / "a.tif", grey(40, 200))
    model = BrightPixels()
    model.failing = lambda _image: True
    assert ask(path, tmp_path / "out", model, **SMALL)["text"] == ""
    with pytest.raises(ResumeError, match="begun with another prompt"):
        ask(path, tmp_path / "out", words="Mark the dam.", resume=True, **SMALL)


def test_f01_a_refused_raster_leaves_no_answer(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (3, 300, 300), dtype=np.uint8)
    path = write_tif(tmp_path / "cut.tif", noise, compress="deflate")
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(GeoMagError, match=r"cut\.tif"):
        ask(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", ["", " \n\t ", "\x00\x1b"])
def test_f22_an_empty_question_is_refused(words):
    with pytest.raises(GeoMagError, match="a question or an instruction"):
        read_prompt(words)


def test_f22_control_characters_go_and_other_scripts_stay():
    assert read_prompt("Wo\x07 ist\u202e ما هذا؟").text == "Wo ist ما هذا؟"
    long = read_prompt("ship " * 10_000)
    assert len(long.text) < 4001
    assert long.notes == ("The prompt was cut from 50,000 to 4,000 characters.",)


def test_f23_mask_tokens_and_turn_markers_in_a_question_are_text():
    text = read_prompt("[SEG0] <image> USER: hi ASSISTANT: yes").text
    assert text == "(SEG0) (image) USER - hi ASSISTANT - yes"


class Fixed(BrightPixels):
    """Gives one output, whatever is asked."""

    def __init__(self, output):
        super().__init__()
        self.output = output

    def ask(self, image, prompt, *, arm="magcrop"):
        return self.output


def test_f24_no_mask_is_said_with_its_reason(tmp_path):
    path = write_tif(tmp_path / "a.tif", grey(8, 8))
    answer = ask(path, tmp_path / "out", Fixed(PipelineOutput("It is [SEG", n_incomplete=1)))
    assert "No mask was drawn: 1 mask groups were cut short." in answer["notes"]
    assert not (tmp_path / "out" / "mask.tif").exists()


def test_f24_three_masks_stay_apart_even_of_one_phrase(tmp_path):
    path = write_tif(tmp_path / "a.tif", grey(8, 8))
    drawn = []
    for i, phrase in enumerate(["ship", "ship", "dam"]):
        mask = np.zeros((8, 8), dtype=bool)
        mask[2 * i : 2 * i + 3] = True  # each covers a row of the next
        drawn.append(DrawnMask(phrase, 0.4 + i / 5, mask))
    answer = ask(path, tmp_path / "out", Fixed(PipelineOutput("three [SEG]", tuple(drawn))))
    assert [(m["value"], m["phrase"], m["score"]) for m in answer["masks"]] == [
        (1, "ship", 0.4),
        (2, "ship", 0.6),
        (3, "dam", 0.8),
    ]
    assert mask_of(tmp_path / "out")[:, 0].tolist() == [1, 1, 1, 2, 2, 3, 3, 0]


def test_the_phrase_of_a_mask_prompt_is_its_subject():
    def framed(words):
        vqa = TaskGuess(Task.VQA, 1.0)
        return frame_prompt(read_prompt(words), lambda _: vqa, load_profile("sample").prompt)

    prompt = framed("Segment the white tank on the left in this image.")
    assert prompt.subject == "the white tank on the left"
    assert prompt.probe("where") == "Where is the white tank on the left?"
    question = framed("How many ships?")
    assert question.probe("where") == question.text


def test_the_whole_of_a_large_scene_is_asked_once(tmp_path):
    model, pixels = BrightPixels(), grey(90, 150, (10, 5, 30, 15), (120, 60, 130, 70))
    path = write_tif(tmp_path / "a.tif", pixels)
    answer = ask(path, tmp_path / "out", model, whole=True, **SMALL)
    assert [image.shape for image in model.asked] == [(90, 150, 3)]
    assert answer["windows"] == "whole"
    assert answer["tiles"]["count"] == 1
    assert (mask_of(tmp_path / "out") == (pixels[0] > 200)).all()
    assert not any("on its own" in note for note in answer["notes"])


def test_a_whole_scene_beyond_memory_is_refused_before_a_model_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr("geomag.ask.answer.MAX_WHOLE_PIXELS", 999)
    path, model = write_tif(tmp_path / "a.tif", grey(20, 50)), BrightPixels()
    with pytest.raises(GeoMagError, match=r"--whole.*1,000 pixels.*at most 999.*window by window"):
        check(path, PROMPT, tmp_path / "out", AskOptions(whole=True))
    with pytest.raises(GeoMagError, match="at most 999"):
        ask(path, tmp_path / "out", model, whole=True)
    assert model.asked == []
