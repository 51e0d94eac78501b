"""``mask.tif``: the masks of all windows joined on the scene's own grid, painted window by window.

0 is background, k the k-th mask, 255 what was not seen: no data in the scene, or a failed window.
Where windows overlap a pixel belongs to a mask if either says so; of two masks the first keeps it.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import MemoryFile
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window

from geomag.ask.mask_table import colours, write_table
from geomag.ask.scene import Grid, Scene
from geomag.ask.tile_job import Tile
from geomag.errors import GeoMagError
from geomag.inference.output import DrawnMask
from geomag.io import atomic_path

NODATA = 255
MOST_MASKS = 254
_BLOCK_PX = 512


@dataclass(frozen=True, slots=True)
class Layer:
    """One mask over the whole scene, joined from windows."""

    number: int
    """Value of its pixels in the mask file, from 1."""
    phrase: str


class Layers:
    """All masks of an answer; those of one phrase in one window stay apart."""

    def __init__(self, tiles: Iterable[Tile]) -> None:
        """Number masks in the order of their first appearance.

        Raises:
            GeoMagError: If there are more than 8 bits can number.
        """
        self._by_key: dict[tuple[str, int], Layer] = {}
        for tile in tiles:
            for key in _keys(tile):
                self._by_key.setdefault(key, Layer(len(self._by_key) + 1, key[0]))
        if len(self._by_key) > MOST_MASKS:
            raise GeoMagError(
                "answer",
                f"{len(self._by_key)} masks",
                f"at most {MOST_MASKS}, one value of 8 bits each",
                "ask for fewer things at once",
            )

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def numbers(self, tile: Tile) -> list[int]:
        """The value of each mask of a window, in its own order."""
        return [self._by_key[key].number for key in _keys(tile)]


def _keys(tile: Tile) -> Iterator[tuple[str, int]]:
    """Phrase and rank among the masks of that phrase, for each mask of a window."""
    seen: dict[str, int] = {}
    for mask in tile.output.masks if tile.output else ():
        nth = seen.get(mask.phrase, 0)
        seen[mask.phrase] = nth + 1
        yield mask.phrase, nth


@dataclass(frozen=True, slots=True)
class Painting:
    """The joined masks as open rasters of one band in pixel coordinates."""

    mask: Any
    """Numbers of layers, 0 and `NODATA`."""
    probability: Any
    """Foreground probability of the layer that a pixel belongs to, in 255ths; 0 in no layer."""


@contextmanager
def painted(
    scene: Scene, tiles: Iterable[Tile], layers: Layers, folder: Path | None
) -> Iterator[Painting]:
    """The joined masks, gone afterwards.

    Args:
        scene: Gives the grid and the pixels without data.
        tiles: All windows; memory is that of one.
        layers: Their numbers.
        folder: Where the working files may stand; None keeps them in memory.
    """
    grid = scene.grid
    files = [folder and folder / name for name in (".mask.tif", ".probability.tif")]
    try:
        with ExitStack() as stack:
            mask, probability = (
                _working_raster(file, grid, nodata, stack)
                for file, nodata in zip(files, (NODATA, 0), strict=True)
            )
            painting = Painting(mask, probability)
            for tile in tiles:
                _paint(painting, scene, tile, layers.numbers(tile))
            yield painting
    finally:
        for file in filter(None, files):
            file.unlink(missing_ok=True)


def _working_raster(path: Path | None, grid: Grid, nodata: int, stack: ExitStack) -> Any:
    """An empty raster; a block that is never written reads as nodata and takes no room.

    It is closed, and in memory freed, with the stack.
    """
    shape: dict[str, Any] = {"width": grid.width, "height": grid.height, "count": 1}
    blocks = {"tiled": True, "blockxsize": _BLOCK_PX, "blockysize": _BLOCK_PX, "sparse_ok": True}
    form = {"driver": "GTiff", "dtype": "uint8", "nodata": nodata, "bigtiff": "if_safer"}
    if path is None:
        memory = stack.enter_context(MemoryFile())
        return stack.enter_context(memory.open(**form, **shape, **blocks))
    return stack.enter_context(rasterio.open(path, "w+", **form, **shape, **blocks))


def _paint(painting: Painting, scene: Scene, tile: Tile, numbers: list[int]) -> None:
    if tile.output is None:
        return
    x0, y0, x1, y1 = tile.box.as_ints()
    window = Window(x0, y0, x1 - x0, y1 - y0)
    values = painting.mask.read(1, window=window)
    chance = painting.probability.read(1, window=window)
    # a block never written reads as nodata, so what is 255 here has not been seen by any window
    seen = np.ones_like(values, dtype=bool) if scene.is_all_valid else scene.read(tile.box)[1]
    values[seen & (values == NODATA)] = 0
    for number, mask in zip(numbers, tile.output.masks, strict=True):
        values[mask.pixels & (values == 0)] = number
        own = mask.pixels & (values == number)
        chance[own] = np.maximum(chance, mask_probability(mask))[own]
    painting.mask.write(values, 1, window=window)
    if chance.any():
        painting.probability.write(chance, 1, window=window)


def mask_probability(mask: DrawnMask) -> NDArray[np.uint8]:
    """Probability of each pixel in 255ths; the mask's own score where no more is known."""
    if mask.probability is not None:
        return mask.probability
    return np.full(mask.pixels.shape, round(mask.score * 255), dtype=np.uint8)


def write_mask(raster: Any, path: Path, grid: Grid, layers: Layers, **tags: str) -> None:
    """Write a painted raster in its place as a Cloud Optimized GeoTIFF, atomically.

    Its colour table and tags name the layers; ``mask.tif.aux.xml`` beside it names them to GIS
    programs (`write_table`).
    """
    if grid.crs is not None:
        raster.crs = grid.crs
    if not grid.transform.is_identity:
        raster.transform = grid.transform
    names = {layer.number: layer.phrase for layer in layers}
    raster.update_tags(**tags, **{f"MASK_{number}": phrase for number, phrase in names.items()})
    raster.write_colormap(1, colours(len(names)))
    with atomic_path(path) as temporary:
        copy_raster(
            raster,
            str(temporary),
            driver="COG",
            compress="DEFLATE",
            blocksize=_BLOCK_PX,
            overview_resampling="NEAREST",
            bigtiff="IF_SAFER",
        )
    write_table(path, names)
