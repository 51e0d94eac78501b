"""Objects of a mask: one polygon and one number per connected piece, with its areas.

Pieces are found on the joined mask, so an object that crosses a seam of windows is one.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.features import shapes
from rasterio.warp import transform

from geomag.ask.mask_file import NODATA, Layer
from geomag.ask.rings import Ring, oriented, polygon_area
from geomag.ask.scene import Grid

_CYLINDRICAL, _NORTH, _SOUTH = "EPSG:6933", "EPSG:6931", "EPSG:6932"
"""Equal-area grids in metres: for latitudes as rows, and about the poles."""


@dataclass(frozen=True, slots=True)
class MapObject:
    """One connected piece of one mask."""

    number: int
    """From 1, in reading order of the polygons' first pixels."""
    mask: int
    """Value in the mask file."""
    phrase: str
    score: float
    """Of its mask in the windows that it touches, in [0, 1]."""
    area_px: int
    area_m2: float | None
    """None where the CRS has no ground."""
    rings: tuple[Ring, ...]
    """Exterior first, counterclockwise; holes clockwise. In the scene's CRS, else pixels."""


def find_objects(raster: Any, layers: Iterable[Layer], grid: Grid) -> Iterator[MapObject]:
    """Polygons of a painted mask, four-connected, edges along pixel borders.

    Args:
        raster: Of `painted`; read line by line.
        layers: What its values mean.
        grid: The scene's.
    """
    known = {layer.number: layer for layer in layers}
    found = shapes(rasterio.band(raster, 1), connectivity=4)
    number = 0
    for geometry, value in found:
        if value in (0, NODATA):
            continue
        number += 1
        layer = known[int(value)]
        pixels = [np.asarray(ring, dtype=np.float64) for ring in geometry["coordinates"]]
        placed = [oriented(_place(ring, grid), is_hole=i > 0) for i, ring in enumerate(pixels)]
        area_px = round(polygon_area(pixels))
        yield MapObject(
            number=number,
            mask=layer.number,
            phrase=layer.phrase,
            score=_score(layer, pixels[0]),
            area_px=area_px,
            area_m2=area_m2(area_px, placed, grid),
            rings=tuple(placed),
        )


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


def _place(ring: Ring, grid: Grid) -> Ring:
    if grid.crs is None:
        return ring
    a, b, c, d, e, f = list(grid.transform)[:6]
    x, y = ring.T
    return np.column_stack([a * x + b * y + c, d * x + e * y + f])


def _score(layer: Layer, pixels: Ring) -> float:
    """Mean score of the windows that the piece touches, by what they drew of the mask."""
    x0, y0 = pixels.min(axis=0)
    x1, y1 = pixels.max(axis=0)
    touched = [
        part
        for part in layer.parts
        if part.area_px
        and part.box.x0 < x1
        and x0 < part.box.x1
        and part.box.y0 < y1
        and y0 < part.box.y1
    ]
    return Layer(layer.number, layer.phrase, touched).score
