"""Which bands stand for red, green and blue, and how their values become 8 bits.

One stretch serves the whole scene: measured per tile, a dark tile would be brightened and a seam
would show in every answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling

from geomag.errors import GeoMagError, ImageError
from geomag.geometry import BoolMask
from geomag.magcrop.compose import RgbImage

LOW, HIGH = 2.0, 98.0
"""Percentiles that become 0 and 255."""
SAMPLE_PX = 1024
"""Longest side of the decimated read that percentiles are taken from."""
_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


@dataclass(frozen=True, slots=True)
class Bands:
    """The bands that are shown."""

    indexes: tuple[int, ...]
    """One (grey, or a palette) or three, counted from 1."""
    source: str
    """Origin of the choice: asked for, the file's colours, or the only ones."""
    palette: NDArray[np.uint8] | None = None
    """``[256, 3]``, for a band of palette numbers."""


def choose_bands(dataset: Any, wanted: Sequence[int] = ()) -> Bands:
    """The bands to show as RGB: those asked for, else the file's own, else a refusal.

    Raises:
        ImageError: If bands do not exist, are complex, or cannot be chosen without being told.
    """
    place, colours = repr(dataset.name), tuple(dataset.colorinterp)
    plain = tuple(i for i in dataset.indexes if colours[i - 1] is not ColorInterp.alpha)
    if wanted:
        found = Bands(tuple(wanted), "asked for")
        if len(wanted) not in (1, 3) or not set(wanted) <= set(dataset.indexes):
            raise ImageError(
                place,
                f"--bands {','.join(map(str, wanted))}",
                f"one or three numbers from 1 to {dataset.count}",
            )
    elif len(plain) == 1:
        found = Bands(plain, "the only one", _palette(dataset, plain[0]))
    elif set(_RGB) <= set(colours):
        found = Bands(tuple(colours.index(c) + 1 for c in _RGB), "the file's colours")
    elif len(plain) == 3:
        found = Bands(plain, "the only ones")
    else:
        names = ", ".join(f"{i} {colours[i - 1].name}" for i in dataset.indexes)
        raise ImageError(
            place,
            f"{dataset.count} bands ({names}), and which are red, green and blue is not said",
            remedy="name three with --bands, for instance --bands "
            + ",".join(map(str, plain[:3] if len(plain) > 2 else plain[:1])),
        )
    for index in found.indexes:
        if "complex" in dataset.dtypes[index - 1]:
            raise ImageError(
                place, f"band {index} is complex", "real values", "take the magnitude first"
            )
    return found


def _palette(dataset: Any, index: int) -> NDArray[np.uint8] | None:
    if dataset.colorinterp[index - 1] is not ColorInterp.palette:
        return None
    table = np.zeros((256, 3), dtype=np.uint8)
    for value, colour in dataset.colormap(index).items():
        if value < 256:
            table[value] = colour[:3]
    return table


def valid_pixels(pixels: NDArray[Any], masks: NDArray[np.uint8]) -> BoolMask:
    """Pixels ``[H, W]`` at which some chosen band holds data and all bands are finite."""
    valid: BoolMask = np.asarray((masks > 0).any(axis=0))
    if np.issubdtype(pixels.dtype, np.floating):
        valid &= np.isfinite(pixels).all(axis=0)
    return valid


@dataclass(frozen=True, slots=True)
class Stretch:
    """Maps from stored values to 8 bits, one a band; None where values are shown as they are."""

    limits: tuple[tuple[float, float], ...] | None

    def apply(self, pixels: NDArray[Any], bands: Bands) -> RgbImage:
        """``[n, H, W]`` as stored to ``uint8 [H, W, 3]``; what is not finite becomes 0."""
        if bands.palette is not None:
            return np.asarray(bands.palette[pixels[0]], dtype=np.uint8)
        shown = pixels
        if self.limits is not None:
            shown = np.empty(pixels.shape, dtype=np.uint8)
            for out, band, (low, high) in zip(shown, pixels, self.limits, strict=True):
                share = (band.astype(np.float64) - low) / (high - low)
                out[:] = np.nan_to_num(np.clip(share, 0, 1) * 255).round()
        rgb = np.repeat(shown, 3, axis=0) if len(shown) == 1 else shown
        return np.ascontiguousarray(rgb.transpose(1, 2, 0))


def measure_stretch(dataset: Any, bands: Bands) -> Stretch:
    """Percentiles 2 and 98 of each chosen band over a decimated read of the whole scene.

    Plain 8-bit bands are shown as they are. A band of one value becomes black.
    """
    is_plain = all(
        dataset.dtypes[i - 1] == "uint8"
        and int(dataset.tags(i, ns="IMAGE_STRUCTURE").get("NBITS", 8)) == 8
        for i in bands.indexes
    )
    if is_plain:
        return Stretch(None)
    scale = max(1.0, max(dataset.width, dataset.height) / SAMPLE_PX)
    shape = (max(1, round(dataset.height / scale)), max(1, round(dataset.width / scale)))
    asked = {"out_shape": (len(bands.indexes), *shape), "resampling": Resampling.nearest}
    pixels = dataset.read(bands.indexes, **asked)
    valid = valid_pixels(pixels, dataset.read_masks(bands.indexes, **asked))
    limits = []
    for band in pixels:
        values = band[valid].astype(np.float64)
        low, high = np.percentile(values, (LOW, HIGH)).tolist() if values.size else (0.0, 1.0)
        limits.append((low, high if high > low else low + 1.0))
    return Stretch(tuple(limits))


def band_numbers(text: str) -> tuple[int, ...]:
    """``1,2,3`` as numbers.

    Raises:
        GeoMagError: If they are none.
    """
    parts = [part.strip() for part in text.split(",")] if text else []
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise GeoMagError("--bands", repr(text), "numbers from 1, such as 4,3,2")
    return tuple(int(part) for part in parts)
