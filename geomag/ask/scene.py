"""A raster as the model sees it: windows of RGB with their valid pixels, and where they lie."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from geomag.ask.bands import Bands, Stretch, choose_bands, measure_stretch, valid_pixels
from geomag.ask.raster_io import opened
from geomag.errors import ImageError
from geomag.geometry import BoolMask, PixelBox
from geomag.magcrop.compose import RgbImage

MAX_WHOLE_PIXELS = 50_000_000
"""Most pixels of a picture that is shown whole."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Size and place of a raster."""

    width: int
    """Side in pixels."""
    height: int
    """Side in pixels."""
    transform: Affine
    """Map from (column, row) to the CRS, or to a grid of its own; the identity without either."""
    crs: CRS | None
    """CRS on the ground; None also where the file's own is local, since it has no place there."""
    local: str = ""
    """Name of a local CRS, which is none."""


@dataclass(frozen=True, slots=True)
class Scene:
    """An open raster with its band choice and its one stretch."""

    path: Path
    grid: Grid
    bands: Bands
    stretch: Stretch
    dataset: Any

    def read(self, box: PixelBox) -> tuple[RgbImage, BoolMask]:
        """``uint8 [h, w, 3]`` and ``bool [h, w]``: the pixels of a box, and which hold data.

        Pixels without data are black.

        Raises:
            ImageError: If the file's data is broken there.
        """
        x0, y0, x1, y1 = box.as_ints()
        window = Window(x0, y0, x1 - x0, y1 - y0)
        indexes = self.bands.indexes
        try:
            pixels = self.dataset.read(indexes, window=window)
            valid = valid_pixels(pixels, self.dataset.read_masks(indexes, window=window))
        except RasterioError as broken:
            raise ImageError(
                repr(str(self.path)),
                f"cannot be decoded at column {x0}, row {y0} ({broken})",
                remedy="fetch the file again",
            ) from broken
        rgb = self.stretch.apply(pixels, self.bands)
        rgb[~valid] = 0
        return rgb, valid

    @property
    def is_all_valid(self) -> bool:
        """Whether the file cannot mark pixels as missing."""
        flags, kinds = self.dataset.mask_flag_enums, self.dataset.dtypes
        return all(
            MaskFlags.all_valid in flags[i - 1] and "float" not in kinds[i - 1]
            for i in self.bands.indexes
        )

    def whole(self) -> RgbImage:
        """Read all pixels, for pictures; refused above `MAX_WHOLE_PIXELS`."""
        pixels = self.grid.width * self.grid.height
        if pixels > MAX_WHOLE_PIXELS:
            raise ImageError(
                repr(str(self.path)),
                f"{pixels:,} pixels",
                f"at most {MAX_WHOLE_PIXELS:,}",
                "cut out the part in question",
            )
        return self.read(PixelBox(0, 0, self.grid.width, self.grid.height))[0]

    def overview(self, width: int, height: int) -> RgbImage:
        """Read all of it at another size, ``uint8 [height, width, 3]``; black where no data are.

        Raises:
            ImageError: If the file's data is broken.
        """
        shape = (len(self.bands.indexes), height, width)
        try:
            pixels = self.dataset.read(self.bands.indexes, out_shape=shape)
            masks = self.dataset.read_masks(self.bands.indexes, out_shape=shape)
        except RasterioError as broken:
            raise ImageError(
                repr(str(self.path)), f"cannot be decoded ({broken})", remedy="fetch the file again"
            ) from broken
        rgb = self.stretch.apply(pixels, self.bands)
        rgb[~valid_pixels(pixels, masks)] = 0
        return rgb

    def facts(self) -> dict[str, Any]:
        """What an answer records about its image."""
        crs = self.grid.crs
        return {
            "name": self.path.name,
            "width": self.grid.width,
            "height": self.grid.height,
            "crs": None if crs is None else crs.to_string(),
            "transform": list(self.grid.transform)[:6],
            "bands": list(self.bands.indexes),
            "bands_chosen_by": self.bands.source,
            "dtype": self.dataset.dtypes[self.bands.indexes[0] - 1],
            "stretch": self.stretch.limits and [list(pair) for pair in self.stretch.limits],
            "nodata": _plain(self.dataset.nodata),
            "can_lack_pixels": not self.is_all_valid,
        }


@contextmanager
def open_scene(name: str | Path, bands: Sequence[int] = ()) -> Iterator[Scene]:
    """Open a raster for questions; its header decides, and only a decimated view is read.

    Args:
        name: A file on this disk.
        bands: One or three numbers, counted from 1; empty takes the file's own colours.

    Raises:
        UnsafePathError: If the name is a scheme of GDAL's.
        ImageError: If it cannot be read, is too large, or its bands are no picture.
    """
    with opened(name) as dataset:
        yield scene_of(dataset, Path(name), bands)


def scene_of(dataset: Any, name: Path, bands: Sequence[int] = ()) -> Scene:
    """An open raster as a scene.

    Args:
        dataset: Of rasterio; stays open as long as the scene is read.
        name: What it is called in messages.
        bands: As `open_scene`.

    Raises:
        ImageError: If its bands are no picture, or its data cannot be decoded.
    """
    chosen = choose_bands(dataset, bands)
    try:
        stretch = measure_stretch(dataset, chosen)
    except RasterioError as broken:
        raise ImageError(
            repr(str(name)), f"cannot be decoded ({broken})", remedy="fetch the file again"
        ) from broken
    crs, local = placed_crs(dataset.crs)
    grid = Grid(dataset.width, dataset.height, dataset.transform, crs, local)
    return Scene(name, grid, chosen, stretch, dataset)


def placed_crs(crs: CRS | None) -> tuple[CRS | None, str]:
    """The CRS if it is tied to the ground; else None, with the name of a local one."""
    if crs is None or crs.is_geographic or crs.is_projected:
        return crs, ""
    named = re.match(r'\w+\["([^"]*)"', crs.to_wkt())
    return None, named.group(1) if named else "without a name"


def _plain(value: float | None) -> float | str | None:
    """The value as JSON can hold it: NaN and infinity become text."""
    return str(value) if value is not None and not np.isfinite(value) else value
