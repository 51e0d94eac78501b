"""Bands, stretch and missing pixels."""

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp

from geomag.ask.scene import open_scene
from geomag.errors import ImageError
from geomag.geometry import PixelBox
from tests.ask.rasters import write_tif


def scene_of(path, bands=()):
    with open_scene(path, bands) as scene:
        image, valid = scene.read(PixelBox(0, 0, scene.grid.width, scene.grid.height))
        return image, valid, scene.facts()


def levels(count, dtype=np.uint8, size=4):
    return np.stack([np.full((size, size), 10 * (i + 1), dtype=dtype) for i in range(count)])


def test_f04_one_band_is_grey(tmp_path):
    image, _, facts = scene_of(write_tif(tmp_path / "a.tif", levels(1)))
    assert image[0, 0].tolist() == [10, 10, 10]
    assert facts["bands"] == [1]


def test_f04_thirteen_bands_want_to_be_told_and_record_what_they_were(tmp_path):
    path = write_tif(tmp_path / "a.tif", levels(13), photometric="minisblack")
    with pytest.raises(ImageError, match=r"13 bands .*--bands 1,2,3"):
        scene_of(path)
    image, _, facts = scene_of(path, (4, 3, 2))
    assert image[0, 0].tolist() == [40, 30, 20]
    assert (facts["bands"], facts["bands_chosen_by"]) == ([4, 3, 2], "asked for")


def test_f04_the_files_own_colours_are_taken_in_any_order(tmp_path):
    path = write_tif(tmp_path / "a.tif", levels(4), photometric="minisblack")
    names = (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined)
    with rasterio.open(path, "r+") as out:
        out.colorinterp = names
    image, _, facts = scene_of(path)
    assert image[0, 0].tolist() == [30, 20, 10]
    assert facts["bands_chosen_by"] == "the file's colours"


@pytest.mark.parametrize("bands", [(1, 2), (0, 1, 2), (1, 2, 9)])
def test_f04_bands_that_do_not_exist_are_refused_with_the_range(tmp_path, bands):
    with pytest.raises(ImageError, match="one or three numbers from 1 to 4"):
        scene_of(write_tif(tmp_path / "a.tif", levels(4)), bands)


def test_a_palette_is_shown_in_its_colours(tmp_path):
    picture = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), mode="P")
    picture.putpalette([9, 8, 7, 200, 100, 50])
    picture.save(tmp_path / "p.png")
    image, _, _ = scene_of(tmp_path / "p.png")
    assert image.tolist() == [[[9, 8, 7], [200, 100, 50]]]


def test_f05_one_stretch_for_all_windows_of_uint16(tmp_path):
    ramp = np.arange(100 * 100, dtype=np.uint16).reshape(1, 100, 100)
    with open_scene(write_tif(tmp_path / "a.tif", ramp)) as scene:
        whole = scene.read(PixelBox(0, 0, 100, 100))[0]
        part = scene.read(PixelBox(30, 40, 70, 60))[0]
        low, high = np.percentile(np.arange(10_000), (2, 98))
        assert scene.stretch.limits == ((pytest.approx(low), pytest.approx(high)),)
    assert np.array_equal(whole[40:60, 30:70], part)
    middle = round((5050 - low) / (high - low) * 255)
    assert whole[50, 50].tolist() == [middle] * 3
    assert (whole.min(), whole.max()) == (0, 255)


def test_f05_negative_values_and_no_contrast_do_not_divide_by_zero(tmp_path):
    flat = np.full((1, 5, 5), -7, dtype=np.int16)
    assert scene_of(write_tif(tmp_path / "a.tif", flat))[0].max() == 0


def test_f05_nan_and_infinity_are_missing_pixels(tmp_path):
    values = np.linspace(0, 1, 100, dtype=np.float32).reshape(1, 10, 10)
    values[0, 0, 0], values[0, 0, 1] = np.nan, np.inf
    image, valid, facts = scene_of(write_tif(tmp_path / "a.tif", values))
    assert valid.sum() == 98
    assert image[0, :2].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert all(np.isfinite(facts["stretch"][0]))


def test_f05_complex_is_refused(tmp_path):
    path = write_tif(tmp_path / "a.tif", np.ones((1, 4, 4), dtype=np.complex64))
    with pytest.raises(ImageError, match="band 1 is complex"):
        scene_of(path)


def test_f06_nodata_alpha_and_masks_are_missing_and_do_not_stretch(tmp_path):
    values = np.linspace(100, 200, 100).astype(np.int16).reshape(1, 10, 10)
    values[0, :5] = -9999
    image, valid, facts = scene_of(write_tif(tmp_path / "a.tif", values, nodata=-9999))
    assert valid[:5].sum() == 0
    assert valid[5:].all()
    assert facts["stretch"][0][0] > 100
    assert image[:5].max() == 0

    rgba = levels(4)
    rgba[3], rgba[3, 0] = 255, 0
    path = write_tif(tmp_path / "b.tif", rgba, photometric="RGB", alpha="YES")
    assert scene_of(path)[1].sum(axis=1).tolist() == [0, 4, 4, 4]
