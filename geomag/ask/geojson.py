"""``objects.geojson`` after RFC 7946: WGS 84 longitude and latitude, cut at 180 degrees."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.warp import transform_geom

from geomag.ask.objects import MapObject
from geomag.ask.objects_file import ObjectTable
from geomag.ask.rings import Ring, oriented
from geomag.io import write_text

PIXELS = "pixels of the image: columns and rows, rows growing downward"
OWN_UNITS = "units of the image's own transform, which no CRS places on the ground"
DECIMALS = 8
"""Decimals of a degree: a millimetre."""
_RADIUS_M = 6_378_137.0
_ABOUT_180 = f"+proj=eqc +lon_0=180 +R={_RADIUS_M:.0f} +no_defs"
"""A plane whose seam is Greenwich: what passes 180 degrees is in one piece on it."""


def write_geojson(path: Path, table: ObjectTable) -> None:
    """Write the objects; without a CRS their coordinates are pixels, and the file says so."""
    tree: dict[str, Any] = {"type": "FeatureCollection"}
    if table.crs is None:
        tree["coordinates"] = PIXELS if table.grid.transform.is_identity else OWN_UNITS
    tree["features"] = [_feature(one, table) for one in table.objects]
    write_text(path, json.dumps(tree, ensure_ascii=False, allow_nan=False) + "\n")


def _feature(one: MapObject, table: ObjectTable) -> dict[str, Any]:
    properties = table.row(one)
    geometry: dict[str, Any] = {"type": "Polygon", "coordinates": [r.tolist() for r in one.rings]}
    if table.crs is not None:
        geometry = _on_the_globe(geometry, table)
    return {
        "type": "Feature",
        "id": properties.pop("id"),
        "geometry": geometry,
        "properties": properties,
    }


def _on_the_globe(geometry: dict[str, Any], table: ObjectTable) -> dict[str, Any]:
    """Rings in longitude and latitude; a polygon across 180 degrees becomes two."""
    source: Any = table.crs
    rings = [np.asarray(ring) for ring in geometry["coordinates"]]
    if source.is_geographic and np.abs(rings[0][:, 0]).max() > 180:
        # GDAL cuts what it projects; degrees beyond 180 it takes as they are
        metres = np.pi / 180 * _RADIUS_M
        turned = [np.column_stack([_turned(r) * metres, r[:, 1] * metres]) for r in rings]
        geometry = {"type": "Polygon", "coordinates": [ring.tolist() for ring in turned]}
        source = _ABOUT_180
    moved = transform_geom(source, "EPSG:4326", geometry, precision=DECIMALS)
    polygons = moved["coordinates"] if moved["type"] == "MultiPolygon" else [moved["coordinates"]]
    clean = [[_closed(ring, is_hole=i > 0) for i, ring in enumerate(p)] for p in polygons]
    if len(clean) == 1:
        return {"type": "Polygon", "coordinates": clean[0]}
    return {"type": "MultiPolygon", "coordinates": clean}


def _turned(ring: Ring) -> Ring:
    """Longitudes as degrees east of 180."""
    return ring[:, 0] - 180 if ring[:, 0].max() > 180 else ring[:, 0] + 180


def _closed(points: Any, *, is_hole: bool) -> list[list[float]]:
    """A ring as RFC 7946 3.1.6 wants it, without the points that rounding made equal."""
    ring = np.asarray(points, dtype=np.float64)[:, :2]
    ring = ring[np.append(True, (np.diff(ring, axis=0) != 0).any(axis=1))]
    ordered: list[list[float]] = oriented(ring, is_hole=is_hole).tolist()
    return ordered
