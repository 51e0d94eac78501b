"""What is let in: by scheme, by content, by size."""

import os
import socket

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint

from geomag.ask import raster_io as opening
from geomag.ask.scene import open_scene
from geomag.errors import ImageError, UnsafePathError
from geomag.geometry import PixelBox
from tests.ask.rasters import UTM, grey, tiny_header_tif, write_tif


def read_all(path, bands=()):
    with open_scene(path, bands) as scene:
        return scene.read(PixelBox(0, 0, scene.grid.width, scene.grid.height))


def test_f01_random_bytes_behind_a_tiff_magic_are_refused_with_the_name(tmp_path):
    path = tmp_path / "random.tif"
    path.write_bytes(b"II*\0" + np.random.default_rng(0).bytes(400))
    with pytest.raises(ImageError, match=r"random\.tif.*cannot be opened"):
        read_all(path)


def test_f01_a_truncated_tiff_is_refused_where_it_breaks(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (3, 300, 300), dtype=np.uint8)
    path = write_tif(tmp_path / "cut.tif", noise, compress="deflate")
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(ImageError, match=r"cut\.tif"):
        read_all(path)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((200_000, 200_000), "between 1 and 4,000,000,000 pixels"),
        ((60_000, 60_000), "the file holds 1,024 bytes"),
    ],
)
def test_f02_a_giant_header_is_refused_before_any_pixel(tmp_path, size, message):
    path = tiny_header_tif(tmp_path / "bomb.tif", *size)
    with pytest.raises(ImageError, match=message):
        read_all(path)


def test_f02_one_giant_block_is_refused_with_the_remedy(tmp_path, monkeypatch):
    path = write_tif(tmp_path / "strip.tif", grey(64, 64))
    monkeypatch.setattr(opening, "MAX_BLOCK_BYTES", 1000)
    with pytest.raises(ImageError, match=r"blocks of 64 x \d+ pixels.*tiled=yes"):
        read_all(path)


def test_f03_no_pixels_are_refused_and_one_is_read(tmp_path):
    with pytest.raises(ImageError, match=r"none\.tif"):
        read_all(tiny_header_tif(tmp_path / "none.tif", 0, 5))
    image, valid = read_all(write_tif(tmp_path / "one.tif", grey(1, 1)))
    assert image.tolist() == [[[50, 50, 50]]]
    assert valid.tolist() == [[True]]


@pytest.mark.parametrize(
    "name",
    [
        "/vsicurl/http://127.0.0.1:9/a.tif",
        "/VSICURL/http://127.0.0.1:9/a.tif",
        "HTTP://127.0.0.1:9/a.tif",
        "file:///etc/passwd",
        "/vsizip/a.zip/a.tif",
        "s3://bucket/a.tif",
    ],
)
def test_f13_schemes_are_refused_before_gdal_sees_them(name):
    with pytest.raises(UnsafePathError, match="the scheme"):
        read_all(name)


def test_f13_a_vrt_named_tif_is_refused_by_its_content(tmp_path):
    inner = write_tif(tmp_path / "inner.tif", grey(8, 8))
    vrt = tmp_path / "outer.tif"
    vrt.write_text(
        '<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1">'
        f"<SimpleSource><SourceFilename>{inner}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(ImageError, match="starts with bytes '3c 56 52 54'"):
        read_all(vrt)


def test_f13_an_overview_named_inside_a_tiff_opens_no_socket(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        url = f"/vsicurl/http://127.0.0.1:{server.getsockname()[1]}/a.tif"
        path = write_tif(tmp_path / "spy.tif", grey(2048, 2048).astype(np.uint16))
        with rasterio.open(path, "r+") as out:
            out.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=url)
        image, _ = read_all(path)  # the stretch reads decimated, so GDAL looks for overviews
        assert image.shape == (2048, 2048, 3)
        with pytest.raises(TimeoutError):
            server.accept()


def test_f08_control_points_alone_are_refused(tmp_path):
    corners = [(0, 0, 0.0, 9.0), (0, 8, 8.0, 9.0), (8, 0, 0.0, 1.0), (8, 8, 8.0, 1.0)]
    points = [GroundControlPoint(row=r, col=c, x=x, y=y) for r, c, x, y in corners]
    path = write_tif(tmp_path / "gcp.tif", grey(8, 8), crs=None)
    with rasterio.open(path, "r+") as out:
        out.gcps = (points, rasterio.crs.CRS.from_string(UTM))
    with pytest.raises(ImageError, match=r"ground control points only.*rio warp"):
        read_all(path)


@pytest.mark.parametrize("name", ["two words.tif", "Prés & 船.tif", "a" * 240 + ".tif", "a:b.tif"])
def test_f44_unusual_names_are_read(tmp_path, name):
    path = write_tif(tmp_path / "plain.tif", grey(4, 4)).rename(tmp_path / name)
    assert read_all(path)[0].shape == (4, 4, 3)


def test_f44_a_name_that_is_not_utf_8_is_read_or_refused_with_the_path(tmp_path):
    plain = write_tif(tmp_path / "plain.tif", grey(4, 4))
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.tif")
    plain.rename(odd)
    with pytest.raises(ImageError, match=r"caf\\udce9"):
        read_all(odd)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"absent\.tif.*no such file"):
        read_all(tmp_path / "absent.tif")
