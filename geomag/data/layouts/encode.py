"""Bytes of the files the sample writes: pinned encoders, no clock, no machine name.

Equal values give equal bytes, so the tree's digest in git matches what anybody draws.
"""

import io
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

Pixels = NDArray[np.uint8]
"""``uint8 [H, W, 3]`` RGB, or ``uint8 [H, W]`` grey."""

JPEG_QUALITY = 92
PNG_LEVEL = 3
"""zlib level of PNG: 6 takes twice the time for a tenth of the size."""
DATE_ADDED = 1577836800.0
"""The one Unix time in the sample (2020-01-01): RSVQA's ``date_added``."""

_EDGE_LEVELS = 26
"""Grey levels that grain and ground texture stay under, and outlines exceed."""
_FIVE_BITS = np.uint8(0xF8)

_PREDICTOR = 317
_HORIZONTAL = 2


def write_jpeg(path: Path, image: Pixels) -> None:
    """Write a JPEG of fixed quality, without metadata."""
    _save(path, image, format="JPEG", quality=JPEG_QUALITY)


def write_png(path: Path, image: Pixels) -> None:
    """Write a PNG of fixed compression level, without metadata."""
    _save(path, image, format="PNG", compress_level=PNG_LEVEL)


def write_tiff(path: Path, image: Pixels) -> None:
    """Write a TIFF packed by LZW behind a horizontal predictor."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[_PREDICTOR] = _HORIZONTAL
    _save(path, image, format="TIFF", compression="tiff_lzw", tiffinfo=info)


def write_packbits_tiff(path: Path, image: Pixels) -> None:
    """Write a TIFF packed by PackBits, band after band: runs need equal neighbours in a row."""
    import rasterio

    bands = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            count=len(bands),
            height=image.shape[0],
            width=image.shape[1],
            dtype="uint8",
            compress="packbits",
            interleave="band",
            photometric="RGB" if len(bands) == 3 else "MINISBLACK",
        ) as tiff:
            tiff.write(bands)


def write_compact_json(path: Path, value: Any) -> None:
    """Write JSON with keys in the order given, as the archives do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, separators=(", ", ": ")), encoding="utf-8")


def write_lines(path: Path, lines: list[str]) -> None:
    """Write one entry a line, each with its line end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_pickle(path: Path, value: Any) -> None:
    """Write a protocol-2 pickle of plain lists, dicts, strings and numbers.

    Without the memo: which equal strings are one object differs between interpreters, and the
    memo would put that difference into the bytes.
    """
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=2)
    pickler.fast = True
    pickler.dump(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())


def smoothed(image: Pixels) -> Pixels:
    """The picture without its grain, which hardly packs: the whole sample shrinks to a third.

    A median of 5 x 5 replaces only what differs from it by less than an edge does, so objects
    keep their outlines; integers throughout, so every machine gets the same bytes.
    """
    import cv2

    median = cv2.medianBlur(image, 5)
    is_grain = cv2.absdiff(image, median) < _EDGE_LEVELS
    return np.asarray(np.where(is_grain, median, image), dtype=np.uint8)


def packable(image: Pixels) -> Pixels:
    """The picture smoothed and at five bits a channel, for files without loss."""
    return smoothed(image) & _FIVE_BITS


def resized(image: Pixels, *, width: int, height: int) -> Pixels:
    """The picture at another size in pixels, bilinear with antialiasing."""
    picture = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture, dtype=np.uint8)


def _save(path: Path, image: Pixels, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(image)).save(path, **options)
