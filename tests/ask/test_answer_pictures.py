"""What a person sees of an answer: colours, names, pictures, plain words."""

import numpy as np
import pytest
import rasterio
from PIL import Image

from geomag.ask.answer import ask_image
from geomag.ask.drawing import shown_size, with_heat
from geomag.ask.mask_table import colour
from geomag.ask.notes import plain_text
from geomag.ask.options import AskOptions
from geomag.cli.ask import summary
from geomag.geometry import PixelBox
from geomag.inference.output import DrawnMask, PipelineOutput
from tests.ask.layers import read_category_names
from tests.ask.rasters import BrightPixels, grey, write_tif


class Two(BrightPixels):
    """Two phrases, a probed map that is hottest on the right, and a window."""

    confidence = 0.55

    def ask(self, image, prompt, *, arm="magcrop"):
        drawn = tuple(
            DrawnMask(phrase, 0.8, (image[..., 0] > 200) & side)
            for phrase, side in (
                ("storage tanks", np.arange(image.shape[1]) < 60),
                ("a & <b>", np.arange(image.shape[1]) >= 60),
            )
        )
        heat = np.zeros((4, 6), dtype=np.float32)
        heat[1, 4] = 2.0
        boxes = (PixelBox(60, 10, 120, 50), PixelBox(70, 15, 100, 40))
        return PipelineOutput(
            "<p> Tanks </p> [SEG] and <p> more </p> [SEG].", drawn, "pixel", self.confidence, boxes,
            heat=heat,
        )  # fmt: skip


def ask(path, out, model=None, words="Mark the storage tanks.", **options):
    return ask_image(
        model or BrightPixels(), path, words, out, AskOptions(**options), log=lambda _: None
    )


@pytest.fixture
def answered(tmp_path):
    path = write_tif(tmp_path / "a.tif", grey(80, 120, (10, 20, 40, 40), (80, 20, 100, 60)))
    return ask(path, tmp_path / "out", Two()), tmp_path / "out"


def test_the_masks_values_have_colours_and_names_that_gdal_reads(answered):
    _, out = answered
    with rasterio.open(out / "mask.tif") as raster:
        table = raster.colormap(1)
        assert table[1] == (*colour(1), 255)
        assert table[2] == (*colour(2), 255)
        tags = raster.tags()
    assert (tags["MASK_1"], tags["MASK_2"]) == ("storage tanks", "a & <b>")
    names = read_category_names(out / "mask.tif")
    assert {value: name for value, name in enumerate(names) if name} == {
        0: "background",
        1: "storage tanks",
        2: "a & <b>",
        255: "not seen",
    }


def test_the_overlay_shows_each_mask_in_its_colour_over_the_scene(answered):
    _, out = answered
    shown = np.asarray(Image.open(out / "overlay.png")).astype(int)
    assert shown.shape[1] == 480
    scale = 4
    for x, y, value in ((20, 30, 1), (90, 40, 2)):
        wanted = 0.55 * 250 + 0.45 * np.array(colour(value))
        assert np.abs(shown[y * scale, x * scale] - wanted).max() <= 1
    assert shown[5 * scale, 5 * scale].tolist() == [50, 50, 50]
    assert shown.shape[0] > 80 * scale + 60  # the legend's lines


def test_the_heatmap_is_smooth_hottest_where_the_model_looked_and_shows_its_windows(answered):
    _, out = answered
    shown = np.asarray(Image.open(out / "heatmap.png")).astype(int)
    scale = 4
    assert shown[10 * scale, 60 * scale].tolist() == [255, 210, 0]
    assert shown[15 * scale, 70 * scale].tolist() == [0, 190, 255]
    hottest, cold = shown[30 * scale, 92 * scale], shown[70 * scale, 10 * scale]
    assert hottest.sum() > 450
    assert cold.tolist() == [50, 50, 50]


def test_heat_falls_off_without_the_steps_of_its_cells():
    image = np.full((64, 64, 3), 100, dtype=np.uint8)
    heat = np.array([[0.0, 0.0, 8.0, 0.0]] * 4, dtype=np.float32)
    row = with_heat(image, heat)[32].astype(int)
    assert np.abs(np.diff(row[:, 0])).max() < 40  # a cell's edge would jump by 150
    assert np.array_equal(with_heat(image, np.zeros((2, 2))), image)


def test_a_scene_is_shown_no_larger_than_a_screen_and_its_small_objects_are_seen(tmp_path):
    assert shown_size(20_000, 10_000) == (1600, 800)
    path = write_tif(tmp_path / "a.tif", grey(400, 4000, (3000, 200, 3003, 203)))
    ask(path, tmp_path / "out", tile_px=500)
    shown = np.asarray(Image.open(tmp_path / "out" / "overlay.png")).astype(int)
    near = shown[75:87, 1195:1207].reshape(-1, 3)
    assert np.abs(near - np.array(colour(1))).max(axis=1).min() == 0


def test_printed_words_have_no_marks_and_say_granularity_and_doubt(answered):
    answer, out = answered
    lines = summary(answer, out).splitlines()
    assert lines[0] == "Tanks and more."
    assert lines[1] == "  granularity: pixel, probability 0.55"
    assert any("granularity is in doubt (pixel, probability 0.55)" in line for line in lines)
    assert not any("[SEG]" in line or "<p>" in line for line in lines)
    assert answer["looks"][0]["said"] == "<p> Tanks </p> [SEG] and <p> more </p> [SEG]."


def test_no_doubt_is_said_from_six_tenths_on(tmp_path):
    model = Two()
    model.confidence = 0.6
    path = write_tif(tmp_path / "a.tif", grey(80, 120, (10, 20, 40, 40)))
    assert not any("in doubt" in note for note in ask(path, tmp_path / "out", model)["notes"])


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("It is [SEG].", "It is."),
        ("It is [SEG", "It is"),
        ("[SEG] .", ""),
        ("<p> a dam </p> [SEG0][SEG1] , then [SEG]", "a dam, then"),
        ("yes", "yes"),
    ],
)
def test_marks_are_taken_out_of_words(marked, plain):
    assert plain_text(marked) == plain
