"""Images are judged by content and header, before any pixel is decoded."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from geomag.data.images import ImageInfo, image_info, read_grey
from geomag.errors import AnnotationError, ImageError
from geomag.io import read_json, read_jsonl


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT"


@pytest.mark.parametrize(
    ("suffix", "mode", "bands", "dtype"),
    [(".jpg", "RGB", 3, "uint8"), (".png", "RGBA", 4, "uint8"), (".tif", "L", 1, "uint8"),
     (".png", "1", 1, "bool"), (".tif", "F", 1, "float32"), (".tif", "I;16", 1, "uint16")],
)  # fmt: skip
def test_size_bands_and_type_come_from_the_header(tmp_path, suffix, mode, bands, dtype):
    path = tmp_path / f"a{suffix}"
    Image.new(mode, (7, 5)).save(path)
    info = image_info(path)
    assert info == ImageInfo(7, 5, mode)
    assert (info.bands, info.dtype) == (bands, dtype)


def test_the_suffix_plays_no_part(tmp_path):
    Image.new("RGB", (3, 4)).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.tif")
    assert image_info(tmp_path / "a.tif") == ImageInfo(3, 4, "RGB")


def test_f02_a_huge_header_is_refused_before_decode(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_header(200_000, 200_000))
    with pytest.raises(ImageError, match=r"bomb\.png: 200000 x 200000 pixels.*200,000,000"):
        image_info(tmp_path / "bomb.png")


def test_what_pillow_alone_would_refuse_below_our_cap_is_read(tmp_path):
    (tmp_path / "large.png").write_bytes(png_header(20_000, 9_900))
    assert image_info(tmp_path / "large.png") == ImageInfo(20_000, 9_900, "RGB")


@pytest.mark.parametrize(
    "content", [b"", b"<VRTDataset/>", b"II*\0\xff\xff\xff\xff", b"\xff\xd8\xff"]
)
def test_f01_what_is_no_image_is_refused_by_content(tmp_path, content):
    (tmp_path / "x.tif").write_bytes(content)
    with pytest.raises(ImageError, match=r"x\.tif: (starts with bytes|broken image header)"):
        image_info(tmp_path / "x.tif")


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"none\.png: cannot be opened"):
        image_info(tmp_path / "none.png")


def test_grey_values_survive_and_one_bit_masks_widen(tmp_path):
    values = np.arange(60, dtype=np.uint8).reshape(6, 10)
    Image.fromarray(values).save(tmp_path / "m.tif", compression="packbits")
    assert np.array_equal(read_grey(tmp_path / "m.tif"), values)
    Image.fromarray(values > 30).save(tmp_path / "b.png")
    assert np.array_equal(read_grey(tmp_path / "b.png"), np.where(values > 30, 255, 0))


def test_a_colour_mask_and_a_truncated_one_are_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "c.png")
    with pytest.raises(ImageError, match=r"mode RGB.*one band of 8 bits"):
        read_grey(tmp_path / "c.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)).save(
        tmp_path / "t.png"
    )
    whole = (tmp_path / "t.png").read_bytes()
    (tmp_path / "t.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match=r"t\.png: cannot be decoded"):
        read_grey(tmp_path / "t.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("turned", [0, 1, 3, 6, 8, 9])
def test_a_picture_that_is_to_be_turned_is_refused(tmp_path, suffix, turned):
    path = tmp_path / f"a{suffix}"
    exif = Image.Exif()
    exif[274] = turned
    Image.new("RGB", (40, 20)).save(path, exif=exif)
    if turned in (0, 1, 9):  # upright, or no orientation that there is
        assert image_info(path) == ImageInfo(40, 20, "RGB")
        return
    with pytest.raises(ImageError, match=f"orientation {turned}: to be turned.*auto-orient"):
        image_info(path)


def test_overviews_and_masks_are_no_pages(tmp_path):
    import rasterio
    from rasterio.enums import Resampling

    path = tmp_path / "a.tif"
    shape = {"width": 512, "height": 512, "count": 3, "dtype": "uint8", "photometric": "RGB"}
    with rasterio.open(path, "w", driver="GTiff", **shape) as out:
        out.write(np.zeros((3, 512, 512), dtype=np.uint8))
        out.build_overviews([2, 4], Resampling.nearest)
    assert image_info(path).n_pages == 1


@pytest.mark.parametrize(
    ("name", "read", "error"),
    [
        ("1.jpg", image_info, ImageError),
        ("dataset.json", read_json, AnnotationError),
        ("mine.jsonl", lambda path: list(read_jsonl(path)), AnnotationError),
    ],
)
def test_a_git_lfs_pointer_in_place_of_a_file_is_named_with_its_remedy(tmp_path, name, read, error):
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * 'a'}\nsize 12345\n"
    (tmp_path / name).write_text(pointer)
    with pytest.raises(error, match=rf"{name}.*: a Git LFS pointer.*git lfs pull"):
        read(tmp_path / name)
