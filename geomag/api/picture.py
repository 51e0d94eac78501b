"""A picture in whatever form it comes: a file, an array, a PIL image or an open raster."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from geomag.ask.scene import Grid, open_scene, scene_of
from geomag.errors import ImageError
from geomag.magcrop.compose import RgbImage


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels with their place on the ground."""

    pixels: RgbImage
    """``uint8 [H, W, 3]``."""
    grid: Grid | None
    """Size, transform and CRS of a raster; None for a plain picture."""


def read_picture(image: Any, bands: Sequence[int] = ()) -> Picture:
    """Read a picture whole.

    Args:
        image: Path of a JPEG, PNG or GeoTIFF; PIL image; ``uint8 [H, W, 3]``; open rasterio
            dataset.
        bands: One or three of a raster's bands, from 1; empty: its own colours.

    Raises:
        ImageError: If it is none of these, of another shape or type, broken or too large.
    """
    from PIL import Image
    from rasterio.io import DatasetReader

    if isinstance(image, (str, Path)):
        with open_scene(image, bands) as scene:
            return Picture(scene.whole(), scene.grid)
    if isinstance(image, DatasetReader):
        scene = scene_of(image, Path(image.name), bands)
        return Picture(scene.whole(), scene.grid)
    if isinstance(image, Image.Image):
        return Picture(np.array(image.convert("RGB")), None)
    if not isinstance(image, np.ndarray):
        raise ImageError(
            "image",
            f"a {type(image).__name__}",
            "a path, a PIL image, a uint8 array [H, W, 3] or an open rasterio dataset",
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        shape = " x ".join(map(str, image.shape))
        raise ImageError("image", f"an array of {image.dtype} {shape}", "uint8 [H, W, 3]")
    return Picture(cast(RgbImage, np.ascontiguousarray(image)), None)
