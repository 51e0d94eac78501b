"""Pinned encoders: same values, same bytes; packing keeps what matters."""

import pickletools

import numpy as np
from PIL import Image

from geomag.data.layouts.encode import (
    packable,
    smoothed,
    write_jpeg,
    write_packbits_tiff,
    write_pickle,
    write_png,
    write_tiff,
)
from geomag.data.unpickle import load_plain_pickle


def _scene() -> np.ndarray:
    """Grain of at most 7 levels around grey 120, a black square of 9 px, a white line of 1 px."""
    rng = np.random.default_rng(0)
    image = (120 + rng.integers(-7, 8, (64, 64, 3))).astype(np.uint8)
    image[20:29, 20:29] = 10
    image[45, 5:60] = 250
    return image


def test_smoothing_removes_grain_and_keeps_outlines_to_the_pixel():
    before = _scene()
    after = smoothed(before)
    assert after[:15, :15].astype(int).std() < 0.5 * before[:15, :15].astype(int).std()
    assert ((after < 60).all(axis=2) == (before < 60).all(axis=2)).all()
    assert ((after > 200).all(axis=2) == (before > 200).all(axis=2)).all()


def test_packable_pictures_have_five_bits():
    assert not (packable(_scene()) & 7).any()


def test_formats_without_loss_give_the_pixels_back(tmp_path):
    image = packable(_scene())
    for name, write in (
        ("a.tif", write_tiff),
        ("b.tif", write_packbits_tiff),
        ("c.png", write_png),
    ):
        write(tmp_path / name, image)
        with Image.open(tmp_path / name) as opened:
            assert opened.mode == "RGB"
            assert (np.asarray(opened) == image).all()


def test_pictures_carry_no_clock_and_no_programme_name(tmp_path):
    write_jpeg(tmp_path / "a.jpg", _scene())
    write_png(tmp_path / "a.png", _scene())
    write_packbits_tiff(tmp_path / "a.tif", _scene())
    assert Image.open(tmp_path / "a.jpg").getexif() == {}
    assert Image.open(tmp_path / "a.png").info == {}
    assert not {305, 306, 315, 316} & set(Image.open(tmp_path / "a.tif").tag_v2)


def test_pickle_bytes_depend_on_values_only(tmp_path):
    shared = "".join(["tr", "ain"])
    write_pickle(tmp_path / "one", [{"split": shared}, {"split": shared}])
    write_pickle(tmp_path / "two", [{"split": "".join(["t", "rain"])}, {"split": "train"}])
    content = (tmp_path / "one").read_bytes()
    assert content == (tmp_path / "two").read_bytes()
    assert content[:2] == b"\x80\x02"
    assert not {op.name for op, _, _ in pickletools.genops(content)} & {"GLOBAL", "BINPUT"}
    assert load_plain_pickle(tmp_path / "one") == [{"split": "train"}, {"split": "train"}]
