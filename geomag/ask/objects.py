"""Objects of a mask: one polygon and one number per connected piece, with its areas.

Pieces are found on the joined mask, so an object that crosses a seam of windows is one. What is
smaller than an object can be is noise: such pieces are removed from the mask, such holes filled.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.features import rasterize, shapes
from rasterio.warp import transform
from rasterio.windows import Window

from geomag.ask.mask_file import NODATA, Layer, Painting
from geomag.ask.rings import Ring, oriented, polygon_area, simplified
from geomag.ask.scene import Grid
from geomag.geometry import BoolMask

MIN_AREA_PX = 8
"""Pixels below which a piece or a hole is noise, unless the caller says otherwise."""
_CYLINDRICAL, _NORTH, _SOUTH = "EPSG:6933", "EPSG:6931", "EPSG:6932"
"""Equal-area grids in metres: for latitudes as rows, and about the poles."""
_STRIP_PX = 1024
"""Rows of an object that are in memory at once."""


@dataclass(frozen=True, slots=True)
class MapObject:
    """One connected piece of one mask."""

    number: int
    """Number from 1, in reading order of the polygons' first pixels."""
    mask: int
    """Value in the mask file."""
    phrase: str
    score: float
    """Mean foreground probability of its pixels, in [0, 1]."""
    area_px: int
    area_m2: float | None
    """Area on the ground in square metres; None where the CRS has no ground."""
    rings: tuple[Ring, ...]
    """Exterior first, counterclockwise; holes clockwise. In the scene's CRS or units of its
    transform, else pixels."""


def remove_specks(painting: Painting, min_area_px: int) -> int:
    """Paint over the pieces of fewer pixels than ``min_area_px``; returns how many there were."""
    removed = 0
    for rings, _ in _pieces(painting) if min_area_px > 1 else ():
        if polygon_area(rings) < min_area_px:
            for window, inside in _strips(rings):
                for raster in (painting.mask, painting.probability):
                    values = raster.read(1, window=window)
                    values[inside] = 0
                    raster.write(values, 1, window=window)
            removed += 1
    return removed


def find_objects(
    painting: Painting,
    layers: Iterable[Layer],
    grid: Grid,
    *,
    min_area_px: int = MIN_AREA_PX,
    simplify_px: float = 0.0,
) -> Iterator[MapObject]:
    """Polygons of a painted mask, four-connected, edges along pixel borders.

    Holes of fewer than ``min_area_px`` pixels are filled, in the mask too, unless what lies in them
    was not seen.

    Args:
        painting: Read strip by strip.
        layers: What its values mean.
        grid: The scene's.
        min_area_px: See above; call `remove_specks` first.
        simplify_px: Largest distance, in pixels, that an outline may be moved by to have fewer
            corners; areas are those before.
    """
    known = {layer.number: layer for layer in layers}
    for number, (rings, value) in enumerate(_pieces(painting), start=1):
        layer = known[value]
        kept = [rings[0]]
        for hole in rings[1:]:
            is_filled = polygon_area([hole]) < min_area_px and _fill(painting, hole, value)
            kept += [] if is_filled else [hole]
        area_px = round(polygon_area(kept))
        placed = _placed(kept, grid)
        yield MapObject(
            number=number,
            mask=layer.number,
            phrase=layer.phrase,
            score=_score(painting, kept),
            area_px=area_px,
            area_m2=area_m2(area_px, placed, grid),
            rings=tuple(_placed(simplified(kept, simplify_px), grid) if simplify_px else placed),
        )


def _pieces(painting: Painting) -> Iterator[tuple[list[Ring], int]]:
    """Rings ``[n, 2]`` of columns and rows, and value, of every connected piece of every layer."""
    # all polygons are made before the first is given, so that the raster may be painted meanwhile
    for geometry, value in shapes(rasterio.band(painting.mask, 1), connectivity=4):
        if value not in (0, NODATA):
            rings = [np.asarray(ring, dtype=np.float64) for ring in geometry["coordinates"]]
            yield rings, int(value)


def _strips(rings: Sequence[Ring]) -> Iterator[tuple[Window, BoolMask]]:
    """Windows that cover a polygon, and which of their pixels lie inside."""
    (x0, y0), (x1, y1) = rings[0].min(axis=0).astype(int), rings[0].max(axis=0).astype(int)
    polygon = {"type": "Polygon", "coordinates": [ring.tolist() for ring in rings]}
    for top in range(y0, y1, _STRIP_PX):
        shape = min(_STRIP_PX, y1 - top), x1 - x0
        place = rasterio.Affine.translation(x0, top)
        inside = rasterize([polygon], out_shape=shape, transform=place, dtype="uint8")
        yield Window(x0, top, shape[1], shape[0]), inside.astype(bool)


def _fill(painting: Painting, hole: Ring, value: int) -> bool:
    """Paint a hole with a layer; False where some of it was not seen."""
    for window, inside in _strips([hole]):
        if (painting.mask.read(1, window=window)[inside] == NODATA).any():
            return False
    for window, inside in _strips([hole]):
        values = painting.mask.read(1, window=window)
        values[inside] = value
        painting.mask.write(values, 1, window=window)
    return True


def _score(painting: Painting, rings: Sequence[Ring]) -> float:
    """Mean probability of the pixels that the model itself gave to the object."""
    total, count = 0, 0
    for window, inside in _strips(rings):
        chance = painting.probability.read(1, window=window)[inside]
        total += int(chance.sum(dtype=np.int64))
        count += int(np.count_nonzero(chance))
    return total / (255 * count) if count else 0.0


def area_m2(area_px: int, rings: Sequence[Ring], grid: Grid) -> float | None:
    """Ground area, in square metres.

    Projected CRSs count on their own plane in their own unit. Degrees, Mercator and polar
    stereographic stretch areas with latitude, so those polygons are measured on an equal-area grid.
    """
    if grid.crs is None:
        return None
    equal = _equal_area_grid(grid.crs)
    if equal is None:
        if not grid.crs.is_projected:
            return None
        unit = float(grid.crs.linear_units_factor[1])
        return area_px * abs(grid.transform.determinant) * unit**2
    moved = []
    # longitude may pass 180: area does not depend on it, so the polygon is moved to the middle
    shift = float(rings[0][:, 0].mean()) if equal == _CYLINDRICAL else 0.0
    for ring in rings:
        xs, ys = transform(grid.crs, equal, (ring[:, 0] - shift).tolist(), ring[:, 1].tolist())
        moved.append(np.column_stack([xs, ys]))
    area = polygon_area(moved)
    return area if math.isfinite(area) else None


def _equal_area_grid(crs: CRS) -> str | None:
    """The grid to measure on; None where the CRS's own plane serves."""
    if crs.is_geographic:
        return _CYLINDRICAL
    method = crs.to_dict(projjson=True).get("conversion", {}).get("method", {}).get("name", "")
    if "Pseudo Mercator" in method or method.startswith("Mercator"):
        return _CYLINDRICAL
    if method.startswith("Polar Stereographic"):
        x, y = transform("EPSG:4326", crs, [0.0], [89.0])
        return _NORTH if math.hypot(x[0], y[0]) < 1e7 else _SOUTH
    return None


def _placed(rings: Sequence[Ring], grid: Grid) -> list[Ring]:
    """Rings of pixels where the grid puts them, oriented."""
    return [oriented(_place(ring, grid), is_hole=i > 0) for i, ring in enumerate(rings)]


def _place(ring: Ring, grid: Grid) -> Ring:
    a, b, c, d, e, f = list(grid.transform)[:6]
    x, y = ring.T
    return np.column_stack([a * x + b * y + c, d * x + e * y + f])
