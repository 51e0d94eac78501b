"""Objects of a mask: one polygon and one number per connected piece, with its areas.

Pieces are found on the joined mask, so an object that crosses a seam of windows is one. What is
smaller than an object can be is noise: such pieces are removed from the mask, such holes filled.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
import rasterio.warp
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import rasterize, shapes
from rasterio.windows import Window
from shapely import Polygon
from shapely.affinity import affine_transform
from shapely.geometry import shape

from geomag.ask.mask_file import NODATA, Layer, Painting, mask_probability
from geomag.ask.scene import Grid
from geomag.geometry import BoolMask
from geomag.inference.output import DrawnMask

MIN_AREA_PX = 8
"""Pixels below which a piece or a hole is noise, unless the caller says otherwise."""
_CYLINDRICAL, _NORTH, _SOUTH = "EPSG:6933", "EPSG:6931", "EPSG:6932"
"""Equal-area grids in metres: for latitudes as rows, and about the poles."""
_STRIP_PX = 1024
"""Rows of an object that are in memory at once."""
_ROWS_PX = 256
"""Rows of a whole raster that are in memory at once."""
_Read = Callable[[Window], NDArray[np.uint8]]


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
    polygon: Polygon
    """Exterior counterclockwise, holes clockwise. In the scene's CRS or units of its transform,
    else pixels."""


def remove_specks(painting: Painting, min_area_px: int) -> int:
    """Paint over the pieces of fewer pixels than ``min_area_px``; returns how many there were."""
    if min_area_px <= 1:
        return 0
    specks = [polygon for polygon, _ in _pieces(painting) if polygon.area < min_area_px]
    for window, inside in _rows(specks, painting.mask.width, painting.mask.height):
        for raster in (painting.mask, painting.probability):
            values = raster.read(1, window=window)
            values[inside] = 0
            raster.write(values, 1, window=window)
    return len(specks)


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
    for number, (polygon, value) in enumerate(_pieces(painting), start=1):
        holes = [
            hole
            for hole in polygon.interiors
            if not (Polygon(hole).area < min_area_px and _fill(painting, Polygon(hole), value))
        ]
        kept = Polygon(polygon.exterior, holes)
        yield _map_object(
            number,
            known[value],
            kept,
            grid,
            score=_score(lambda window: painting.probability.read(1, window=window), kept),
            simplify_px=simplify_px,
        )


def objects_of_masks(masks: Sequence[DrawnMask], grid: Grid) -> list[MapObject]:
    """Polygons of masks in memory as `find_objects` makes them; nothing is removed or filled.

    Args:
        masks: ``[H, W]`` each; they may overlap.
        grid: Of H rows and W columns.
    """
    found: list[MapObject] = []
    for value, mask in enumerate(masks, start=1):
        chance, layer = mask_probability(mask), Layer(value, mask.phrase)
        for polygon, _ in _polygons(mask.pixels.astype(np.uint8)):
            score = _score(lambda window, own=chance: own[window.toslices()], polygon)  # type: ignore[misc]
            found.append(_map_object(len(found) + 1, layer, polygon, grid, score=score))
    return found


def _map_object(
    number: int,
    layer: Layer,
    polygon: Polygon,
    grid: Grid,
    *,
    score: float,
    simplify_px: float = 0.0,
) -> MapObject:
    """One object from its polygon in pixels."""
    area_px, placed = round(polygon.area), _placed(polygon, grid)
    area = area_m2(area_px, placed, grid)
    if simplify_px:  # after Douglas and Peucker (1973); rings neither cross nor vanish
        placed = _placed(polygon.simplify(simplify_px, preserve_topology=True), grid)
    return MapObject(number, layer.number, layer.phrase, score, area_px, area, placed)


def _pieces(painting: Painting) -> Iterator[tuple[Polygon, int]]:
    """Polygon in columns and rows, and value, of every connected piece of every layer."""
    return _polygons(rasterio.band(painting.mask, 1))


def _polygons(source: Any) -> Iterator[tuple[Polygon, int]]:
    # all polygons are made before the first is given, so that the raster may be painted meanwhile
    for geometry, value in shapes(source, connectivity=4):
        if value not in (0, NODATA):
            yield shape(geometry), int(value)


def _strips(polygon: Polygon) -> Iterator[tuple[Window, BoolMask]]:
    """Windows that cover a polygon in pixels, and which of their pixels lie inside."""
    x0, y0, x1, y1 = map(int, polygon.bounds)
    for top in range(y0, y1, _STRIP_PX):
        size = min(_STRIP_PX, y1 - top), x1 - x0
        place = rasterio.Affine.translation(x0, top)
        inside = rasterize([polygon], out_shape=size, transform=place, dtype="uint8")
        yield Window(x0, top, size[1], size[0]), inside.astype(bool)


def _rows(
    polygons: Iterable[Polygon], width: int, height: int
) -> Iterator[tuple[Window, BoolMask]]:
    """Rows of a raster that hold any of many polygons, and which of their pixels lie inside one.

    Thousands of specks are painted a few rows of the raster at a time, not one by one.
    """
    by_strip: dict[int, list[Polygon]] = {}
    for polygon in polygons:
        _, y0, _, y1 = map(int, polygon.bounds)
        for strip in range(y0 // _ROWS_PX, (y1 - 1) // _ROWS_PX + 1):
            by_strip.setdefault(strip, []).append(polygon)
    for strip, own in sorted(by_strip.items()):
        top = strip * _ROWS_PX
        size = min(_ROWS_PX, height - top), width
        place = rasterio.Affine.translation(0, top)
        inside = rasterize(own, out_shape=size, transform=place, dtype="uint8")
        yield Window(0, top, width, size[0]), inside.astype(bool)


def _fill(painting: Painting, hole: Polygon, value: int) -> bool:
    """Paint a hole with a layer; False where some of it was not seen."""
    for window, inside in _strips(hole):
        if (painting.mask.read(1, window=window)[inside] == NODATA).any():
            return False
    for window, inside in _strips(hole):
        values = painting.mask.read(1, window=window)
        values[inside] = value
        painting.mask.write(values, 1, window=window)
    return True


def _score(read: _Read, polygon: Polygon) -> float:
    """Mean probability of the pixels that the model itself gave to the object."""
    total, count = 0, 0
    for window, inside in _strips(polygon):
        chance = read(window)[inside]
        total += int(chance.sum(dtype=np.int64))
        count += int(np.count_nonzero(chance))
    return total / (255 * count) if count else 0.0


def area_m2(area_px: int, polygon: Polygon, grid: Grid) -> float | None:
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
    # longitude may pass 180: area does not depend on it, so the polygon is moved to the middle
    shift = polygon.centroid.x if equal == _CYLINDRICAL else 0.0

    def on_equal_area(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[Any, Any]:
        xs, ys = rasterio.warp.transform(grid.crs, equal, x - shift, y)
        return np.asarray(xs), np.asarray(ys)

    area = float(shapely.transform(polygon, on_equal_area, interleaved=False).area)
    return area if math.isfinite(area) else None


def _equal_area_grid(crs: CRS) -> str | None:
    """The grid to measure on; None where the CRS's own plane serves."""
    if crs.is_geographic:
        return _CYLINDRICAL
    method = crs.to_dict(projjson=True).get("conversion", {}).get("method", {}).get("name", "")
    if "Pseudo Mercator" in method or method.startswith("Mercator"):
        return _CYLINDRICAL
    if method.startswith("Polar Stereographic"):
        x, y = rasterio.warp.transform("EPSG:4326", crs, [0.0], [89.0])
        return _NORTH if math.hypot(x[0], y[0]) < 1e7 else _SOUTH
    return None


def _placed(polygon: Polygon, grid: Grid) -> Polygon:
    """A polygon of pixels where the grid puts it, oriented."""
    a, b, c, d, e, f = list(grid.transform)[:6]
    return shapely.orient_polygons(affine_transform(polygon, (a, b, d, e, c, f)))
