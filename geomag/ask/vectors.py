"""Objects as a table of polygons, and the three files of it that GIS programs read.

geopandas makes the table; GDAL, through pyogrio, writes GeoPackage 1.4 with its R-tree (OGC
12-128r18) and GeoJSON (RFC 7946); geopandas writes GeoParquet 1.1. Equal tables give equal bytes.
"""

import io
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.ask.objects import MapObject
from geomag.ask.scene import Grid
from geomag.io import atomic_path, write_bytes

LAYER = "objects"
COLUMNS = {
    "id": "int64",
    "mask": "int32",
    "phrase": "str",
    "score": "float64",
    "area_px": "int64",
    "area_m2": "float64",
    "prompt": "str",
    "model": "str",
}
"""Columns of the table beside ``geometry``, with their types; ``id`` counts from 1."""
PIXELS = "pixels of the image: columns and rows, rows growing downward"
OWN_UNITS = "units of the image's own transform, which no CRS places on the ground"
_UNPLACED = -1
"""GeoPackage's number of the undefined Cartesian system."""
_NO_CLOCK = {"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"}
"""GDAL's clock while it writes ``last_change``, which the format wants."""
_DEGREE_DECIMALS = 8
"""Decimals of a degree: a millimetre."""


@dataclass(frozen=True, slots=True)
class ObjectTable:
    """Objects of one answer, and what every file says of each."""

    objects: Sequence[MapObject]
    prompt: str
    """The prompt in the wording that the model was asked in."""
    model: str
    """Digests of the parts that drew the masks."""
    grid: Grid
    """Grid of the scene, which the coordinates are on."""

    def frame(self) -> Any:
        """A `geopandas.GeoDataFrame`, one row an object, with `COLUMNS` and ``geometry``.

        Polygons are valid, exteriors counterclockwise, in the scene's CRS; without one, in the
        units of the grid's own transform, else in pixels.
        """
        import geopandas

        rows = {
            "id": [one.number for one in self.objects],
            "mask": [one.mask for one in self.objects],
            "phrase": [one.phrase for one in self.objects],
            "score": [one.score for one in self.objects],
            "area_px": [one.area_px for one in self.objects],
            "area_m2": [one.area_m2 for one in self.objects],
            "prompt": [self.prompt for _ in self.objects],
            "model": [self.model for _ in self.objects],
        }
        polygons = [one.polygon for one in self.objects]
        crs = None if self.grid.crs is None else self.grid.crs.to_wkt()
        return geopandas.GeoDataFrame(rows, geometry=polygons, crs=crs).astype(COLUMNS)


def write_geopackage(path: Path, table: ObjectTable) -> None:
    """Write the objects in the scene's own CRS, atomically."""
    options = {"FID": "id", "IDENTIFIER": LAYER, "DESCRIPTION": table.prompt}
    if table.grid.crs is None:
        options["SRID"] = str(_UNPLACED)
    write_bytes(path, _written(table.frame(), "GPKG", layer_options=options))


def write_geojson(path: Path, table: ObjectTable) -> None:
    """Write the objects in longitude and latitude, cut in two where they cross 180 degrees.

    Without a CRS there is no longitude: coordinates are as `ObjectTable.frame` has them, and the
    file says so.
    """
    if table.grid.crs is not None:
        options = {
            "RFC7946": "YES",
            "ID_FIELD": "id",
            "COORDINATE_PRECISION": str(_DEGREE_DECIMALS),
            "WRITE_NAME": "NO",
        }
    else:
        unit = PIXELS if table.grid.transform.is_identity else OWN_UNITS
        options = {
            "ID_FIELD": "id",
            "WRITE_NAME": "NO",
            "NATIVE_DATA": json.dumps({"type": "FeatureCollection", "coordinates": unit}),
            "NATIVE_MEDIA_TYPE": "application/vnd.geo+json",
        }
    write_bytes(path, _written(table.frame(), "GeoJSON", layer_options=options))


def write_geoparquet(path: Path, table: ObjectTable) -> None:
    """Write the objects as WKB in the scene's own CRS, atomically."""
    with atomic_path(path) as temporary:
        table.frame().to_parquet(temporary, index=False, schema_version="1.1.0")


def _written(frame: Any, driver: str, *, layer_options: dict[str, str]) -> bytes:
    """What GDAL writes of a table, in memory: a temporary name would be a second layer's name."""
    import pyogrio

    out = io.BytesIO()
    with _gdal_options(_NO_CLOCK), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)  # answer.json says
        pyogrio.write_dataframe(
            frame,
            out,
            layer=LAYER,
            driver=driver,
            geometry_type="Polygon",
            layer_options=layer_options,
        )
    return out.getvalue()


@contextmanager
def _gdal_options(options: dict[str, str]) -> Iterator[None]:
    """Options of pyogrio's GDAL for a while; rasterio has a GDAL of its own."""
    import pyogrio

    before = {name: pyogrio.get_gdal_config_option(name) for name in options}
    pyogrio.set_gdal_config_options(options)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)
