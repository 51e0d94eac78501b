"""`geomag ask` and `geomag magcrop` with a tiny model of the real classes."""

import json
import socket

import numpy as np
import pytest
import rasterio
from PIL import Image

from geomag.ask.pictures import magcrop_pictures
from geomag.cli.main import main
from geomag.config.load import load_profile, override
from geomag.inference.pipeline import Pipeline
from geomag.inference.prompt import read_prompt
from geomag.inference.question import Question
from geomag.magcrop.mask_window import mask_window
from geomag.manifest import read_manifest
from tests.ask.layers import read_layer
from tests.ask.models import NAMES, NONE, ONE, THREE, write_project
from tests.ask.rasters import AT, grey, write_tif

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    return root, write_project(root)


@pytest.fixture(scope="module")
def pipeline(project):
    root, profile = project
    return Pipeline.load(root / "artifacts" / "models", load_profile(str(profile)))


def with_settings(pipeline, **sections):
    """The same parts under other settings."""
    profile = override(pipeline.profile, **sections)
    return Pipeline(pipeline.model, pipeline.classifier, profile)


@pytest.fixture
def command(project, monkeypatch, capsys):
    root, profile = project
    monkeypatch.chdir(root)

    def run(*words):
        monkeypatch.setattr("sys.argv", ["geomag", *map(str, words), "--profile", str(profile)])
        with pytest.raises(SystemExit) as done:
            main()
        printed = capsys.readouterr()
        return done.value.code, printed.out, printed.err

    return run


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (3, height, width), dtype=np.uint8)


def test_ask_answers_and_writes_everything_beside_the_image(command, project, tmp_path):
    path = write_tif(tmp_path / "harbour.tif", noise(90, 120))
    code, out, _ = command("ask", path, ONE)
    assert code == 0
    assert out.startswith("It is.\n  granularity: pixel, probability 1.00\n")
    (folder,) = tmp_path.glob("harbour.tif.*.geomag")
    answer = json.loads((folder / "answer.json").read_text())
    models = project[0] / "artifacts" / "models"
    parts = ("base", "granularity", "adapter", "decoder")
    assert answer["model"] == {part: read_manifest(models / part)["digest"] for part in parts}
    assert answer["granularity"] == "pixel"
    assert {"read", "look", "vision", "language", "masks"} == set(answer["seconds"])
    assert answer["visual_tokens"] == 16
    (first, second) = answer["looks"][0]["crop_boxes"]
    assert first[0] <= second[0] < second[2] <= first[2]
    with rasterio.open(folder / "mask.tif") as raster:
        assert raster.transform == AT
        area = int((raster.read(1) == 1).sum())
    rows = read_layer(folder / "objects.gpkg")[1]
    assert sum(int(row["area_px"]) for row in rows) == area == answer["masks"][0]["area_px"] > 0


def test_f24_three_phrases_give_three_masks(pipeline):
    reply = pipeline.ask(noise(60, 80).transpose(1, 2, 0), THREE)
    assert tuple(mask.phrase for mask in reply.masks) == NAMES
    assert reply.granularity == "none"  # a grounded conversation bypasses MagCrop


def test_f24_an_answer_without_a_mask_says_so(command, tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(60, 80))
    code, out, _ = command("ask", path, NONE, "--out", tmp_path / "out")
    assert (code, out.splitlines()[0]) == (0, "no")
    assert "note: No mask was drawn: the model asked for none." in out


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 3)])
def test_f03_the_smallest_pictures_are_answered(pipeline, shape):
    reply = pipeline.ask(np.zeros((*shape, 3), dtype=np.uint8), ONE)
    assert [mask.pixels.shape for mask in reply.masks] == [shape]


def test_f22_a_prompt_beyond_the_models_room_is_cut_with_a_note(pipeline):
    prompt = pipeline.fit(read_prompt("zq" * 1900))
    assert "tokens" in prompt.notes[-1]
    reply = pipeline.ask(noise(20, 20).transpose(1, 2, 0), prompt, arm="plain")
    assert isinstance(reply.text, str)


def test_f43_no_network_is_needed(pipeline, monkeypatch):
    def refuse(*_):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert pipeline.ask(noise(20, 20).transpose(1, 2, 0), NONE).text == "no"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ask", "/vsicurl/http://127.0.0.1:9/a.tif", ONE), "the scheme '/vsicurl/'"),
        (("ask", "absent.tif", ONE), "no such file"),
        (("ask", "{image}", " "), "a question or an instruction"),
        (("ask", "{image}", ONE, "--tile", "0"), "at least 16 pixels"),
        (("ask", "{image}", ONE, "--bands", "1,x"), "numbers from 1"),
        (("ask", "{image}", ONE, "--bands", "7"), "one or three numbers from 1 to 3"),
    ],
)
def test_wrong_input_ends_with_two_and_one_message(command, tmp_path, words, message):
    path = write_tif(tmp_path / "a.tif", grey(8, 8))
    code, _, err = command(*(word.replace("{image}", str(path)) for word in words))
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_magcrop_draws_where_the_model_looks(command, tmp_path):
    pixels = noise(90, 120)
    path = write_tif(tmp_path / "a.tif", pixels)
    out = tmp_path / "pictures"
    code, printed, _ = command("magcrop", path, ONE, "--out", out)
    assert code == 0
    assert "granularity pixel" in printed
    facts = json.loads((out / "probe.json").read_text())
    assert facts["prompt"]["probe"] == "Where is the red ship?"
    (x0, y0, *_), inner = facts["crop_boxes"]
    assert sum(view["tokens"] for view in facts["views"]) == facts["visual_tokens"]
    boxes = np.asarray(Image.open(out / "boxes.png"))
    assert boxes[y0, x0].tolist() == [255, 210, 0]
    assert boxes[inner[1], inner[0]].tolist() == [0, 190, 255]
    adjusted = np.asarray(Image.open(out / "adjusted.png")).transpose(2, 0, 1)
    sharp = (slice(None), slice(inner[1], inner[3]), slice(inner[0], inner[2]))
    assert np.array_equal(adjusted[sharp], pixels[sharp])  # C_2 is kept as it was
    assert adjusted.std() < 0.5 * pixels.std()  # and the rest is compressed
    assert 0 < facts["heat_share"] <= 1
    assert "heatmap.png, boxes.png, adjusted.png, views.png, probe.json" in printed


def test_magcrop_shows_the_masks_window_and_views_where_the_profile_looks_around_masks(
    pipeline, tmp_path
):
    image = np.moveaxis(noise(160, 160, seed=3), 0, 2)
    settings = {"probe": "mask", "view": "tokens"}
    masks_first = with_settings(pipeline, magcrop=settings)
    facts = magcrop_pictures(masks_first, image, ONE, tmp_path)
    assert "probability that a pixel belongs to a mask" in facts["chosen_by"]
    assert (facts["heat_share"], facts["target_token"]) == (None, None)
    assert not (tmp_path / "adjusted.png").exists()  # nothing is stitched
    (mask,) = masks_first.ask(image, ONE, arm="plain").masks
    window = mask_window(mask.pixels, min_px=masks_first.profile.magcrop.min_px)
    if window.is_doubtful:
        assert facts["crop_boxes"] == []
        assert "would magnify nothing" in facts["notes"][-1]
    else:
        assert facts["crop_boxes"] == [list(window.box.as_ints())]
        assert len(facts["views"]) == 2


def test_magcrop_says_why_it_crops_nothing(command, tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(60, 80))
    code, printed, _ = command("magcrop", path, THREE, "--out", tmp_path / "out")
    assert code == 0
    assert "note: No crop: a grounded conversation is read whole" in printed


def test_a_large_image_is_probed_by_tiles_and_its_mask_lies_inside_the_window(pipeline):
    image = np.moveaxis(noise(160, 260), 0, 2)
    settings = {"large_px": 200, "tile_px": 80, "sizes": [0.25]}
    large = with_settings(pipeline, magcrop=settings)
    (looked,) = large.prepare([Question(image, large.fit(read_prompt(ONE)))])
    assert looked.heat.first.shape == (2 * 4, 3 * 4)  # 2 x 3 tiles of a 4 x 4 probe
    outer = looked.boxes[0]
    assert looked.query.model_input.encoder_box == outer
    reply = large.ask(image, ONE)
    assert reply.crop_boxes == looked.boxes
    (mask,) = reply.masks
    x0, y0, x1, y1 = outer.as_ints()
    inside = np.zeros((160, 260), dtype=bool)
    inside[y0:y1, x0:x1] = True
    assert mask.pixels.shape == (160, 260)
    assert mask.pixels.any()
    assert not (mask.pixels & ~inside).any()


def test_the_mask_probe_crops_around_what_the_plain_answer_drew(pipeline):
    image = np.moveaxis(noise(160, 160, seed=3), 0, 2)
    other = with_settings(pipeline, magcrop={"probe": "mask"})
    (mask,) = other.ask(image, ONE, arm="plain").masks
    (looked,) = other.prepare([Question(image, other.fit(read_prompt(ONE)))])
    window = mask_window(mask.pixels, min_px=other.profile.magcrop.min_px)
    assert looked.heat is None
    assert looked.boxes == (() if window.is_doubtful else (window.box,))
    assert other.ask(image, ONE).crop_boxes == looked.boxes
