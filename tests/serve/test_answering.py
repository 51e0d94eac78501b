"""A served picture: the answer of `geomag ask` window by window, without touching a disk."""

import tempfile

import numpy as np
import pytest
import rasterio

from geomag.ask.answer import ask_image
from geomag.ask.options import AskOptions
from geomag.config.load import load_profile
from geomag.errors import ImageError
from geomag.geometry import decode_mask
from geomag.inference.pipeline import Pipeline
from geomag.serve.answering import answer_picture
from tests.ask.models import ONE, write_project
from tests.ask.rasters import AT, write_tif

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    profile = load_profile(str(write_project(root)))
    return Pipeline.load(root / "artifacts" / "models", profile)


@pytest.mark.parametrize("tile_px", [1024, 64])
def test_the_masks_are_those_that_ask_writes(pipeline, tmp_path, monkeypatch, tile_px):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 90, 120), dtype=np.uint8)
    path = write_tif(tmp_path / "harbour.tif", pixels)
    options = AskOptions(tile_px=tile_px, overlap_px=16, pictures=False)
    written = ask_image(pipeline, path, ONE, tmp_path / "out", options, log=lambda _: None)
    with rasterio.open(tmp_path / "out" / "mask.tif") as raster:
        values = raster.read(1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    monkeypatch.chdir(tmp_path / "out")
    before = sorted(tmp_path.rglob("*"))
    served = answer_picture(pipeline, path.read_bytes(), ONE, options)
    assert sorted(tmp_path.rglob("*")) == before
    assert len(written["looks"]) == (1 if tile_px == 1024 else len(served["looks"]))
    assert served["text"] == written["text"]
    assert served["prompt"] == written["prompt"]
    assert served["image"]["transform"] == list(AT)[:6]
    assert served["image"]["sha256"] == written["image"]["sha256"]
    for mask, told in zip(served["masks"], written["masks"], strict=True):
        assert np.array_equal(decode_mask(mask), values == told["value"])
        assert (mask["phrase"], mask["score"], mask["area_px"]) == (
            told["phrase"],
            told["score"],
            told["area_px"],
        )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", r"^'image': starts with bytes '68 65 6c 6c'"),
        (b"\xff\xd8\xff\xe0 broken", r"^'image': cannot be opened"),
        (b"II*\x00 broken", r"^'image': cannot be opened"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_place(pipeline, content, message):
    with pytest.raises(ImageError, match=message):
        answer_picture(pipeline, content, ONE, AskOptions())
