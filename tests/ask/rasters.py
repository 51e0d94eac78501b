"""Small rasters for tests, and a segmenter whose answer is known: bright pixels."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from geomag.inference.framing import wording_in
from geomag.inference.output import DrawnMask, PipelineOutput

UTM = "EPSG:32631"
AT = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)


def write_tif(path: Path, pixels: np.ndarray, *, crs=UTM, transform=AT, **profile) -> Path:
    """``[n, H, W]`` as a GeoTIFF; without a CRS no transform is written either."""
    count, height, width = pixels.shape
    place = {} if crs is None else {"crs": crs, "transform": transform}
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=count,
        dtype=pixels.dtype,
        **place,
        **profile,
    ) as out:
        out.write(pixels)
    return path


def grey(height: int, width: int, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """RGB ``[3, H, W]``: 50 with boxes ``(x0, y0, x1, y1)`` of 250."""
    pixels = np.full((3, height, width), 50, dtype=np.uint8)
    for x0, y0, x1, y1 in boxes:
        pixels[:, y0:y1, x0:x1] = 250
    return pixels


class BrightPixels:
    """Answers any prompt with the pixels above 200: exact, whatever the window."""

    def __init__(self):
        self.asked = []
        self.failing = lambda _image: False

    def identity(self):
        return {"model": {"base": "b1", "decoder": "d1"}, "profile": {"name": "bright"}}

    def fit(self, prompt):
        task, phrase = wording_in(prompt.text) or (None, prompt.text)
        return replace(prompt, task=task, subject=phrase)

    def ask(self, image, prompt, *, arm="magcrop"):
        self.asked.append(image.copy())
        if self.failing(image):
            raise RuntimeError("CUDA out of memory")
        return PipelineOutput(
            "It is [SEG].", (DrawnMask(prompt.subject, 0.8, image[..., 0] > 200),)
        )


def tiny_header_tif(path: Path, width: int, height: int) -> Path:
    """A TIFF of under 1 KB whose header says ``width x height``, 8-bit grey in one strip a row."""
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 200),
        (277, 3, 1, 1),
        (278, 4, 1, 1),
        (279, 4, 1, 16),
    ]
    body = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    body += b"".join(struct.pack("<HHII", *tag) for tag in tags) + b"\0\0\0\0"
    path.write_bytes(body.ljust(1024, b"\0"))
    return path
