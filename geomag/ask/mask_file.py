"""``mask.tif``: the masks of all windows joined on the scene's own grid, painted window by window.

0 is background, k the k-th mask, 255 what was not seen: no data in the scene, or a failed window.
Where windows overlap a pixel belongs to a mask if either says so; of two masks the first keeps it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window

from geomag.ask.scene import Grid, Scene
from geomag.ask.tile_job import Tile
from geomag.errors import GeoMagError
from geomag.geometry import PixelBox
from geomag.io import atomic_path

NODATA = 255
MOST_MASKS = 254
_BLOCK_PX = 512


@dataclass(frozen=True, slots=True)
class LayerPart:
    """What one window drew of a layer."""

    box: PixelBox
    score: float
    area_px: int


@dataclass(slots=True)
class Layer:
    """One mask over the whole scene, joined from windows."""

    number: int
    """Its value in the mask file, from 1."""
    phrase: str
    parts: list[LayerPart] = field(default_factory=list)

    @property
    def score(self) -> float:
        """Mean score of its parts by their area; 0 when nothing was drawn."""
        total = sum(part.area_px for part in self.parts)
        return sum(p.score * p.area_px for p in self.parts) / total if total else 0.0


class Layers:
    """All masks of an answer; those of one phrase in one window stay apart."""

    def __init__(self, tiles: Iterable[Tile]) -> None:
        """Number masks in the order of their first appearance.

        Raises:
            GeoMagError: If there are more than 8 bits can number.
        """
        self._by_key: dict[tuple[str, int], Layer] = {}
        for tile in tiles:
            for key, part in _parts(tile):
                layer = self._by_key.setdefault(key, Layer(len(self._by_key) + 1, key[0]))
                layer.parts.append(part)
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
        return [self._by_key[key].number for key, _ in _parts(tile)]


def _parts(tile: Tile) -> Iterator[tuple[tuple[str, int], LayerPart]]:
    seen: dict[str, int] = {}
    for mask in tile.reply.masks if tile.reply else ():
        nth = seen.get(mask.phrase, 0)
        seen[mask.phrase] = nth + 1
        yield (mask.phrase, nth), LayerPart(tile.box, mask.score, int(mask.pixels.sum()))


@contextmanager
def painted(scene: Scene, tiles: Iterable[Tile], layers: Layers, folder: Path) -> Iterator[Any]:
    """The joined masks as an open raster of one band in pixel coordinates, gone afterwards.

    Args:
        scene: Gives the grid and the pixels without data.
        tiles: All windows; memory is that of one.
        layers: Their numbers.
        folder: Where the working file may stand.
    """
    grid = scene.grid
    work = folder / ".mask.work.tif"
    shape: dict[str, Any] = {"width": grid.width, "height": grid.height, "count": 1}
    blocks = {"tiled": True, "blockxsize": _BLOCK_PX, "blockysize": _BLOCK_PX, "sparse_ok": True}
    try:
        with rasterio.open(
            work,
            "w+",
            driver="GTiff",
            dtype="uint8",
            nodata=NODATA,
            bigtiff="if_safer",
            **shape,
            **blocks,
        ) as raster:
            for tile in tiles:
                _paint(raster, scene, tile, layers.numbers(tile))
            yield raster
    finally:
        work.unlink(missing_ok=True)


def _paint(raster: Any, scene: Scene, tile: Tile, numbers: list[int]) -> None:
    if tile.reply is None:
        return
    x0, y0, x1, y1 = tile.box.as_ints()
    window = Window(x0, y0, x1 - x0, y1 - y0)
    values = raster.read(1, window=window)
    # a block never written reads as nodata, so what is 255 here has not been seen by any window
    seen = np.ones_like(values, dtype=bool) if scene.is_all_valid else scene.read(tile.box)[1]
    values[seen & (values == NODATA)] = 0
    for number, mask in zip(numbers, tile.reply.masks, strict=True):
        values[mask.pixels & (values == 0)] = number
    raster.write(values, 1, window=window)


def write_mask(raster: Any, path: Path, grid: Grid, **tags: str) -> None:
    """Write a painted raster in its place as a Cloud Optimized GeoTIFF, atomically."""
    if grid.crs is not None:
        raster.crs = grid.crs
    if not grid.transform.is_identity:
        raster.transform = grid.transform
    raster.update_tags(**tags)
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
