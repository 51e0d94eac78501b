"""``objects.gpkg``: a GeoPackage 1.3 of one feature table, written with SQLite (OGC 12-128r18).

Three tables say what is inside (2.1 there), the geometries are WKB behind a header (2.1.3), and
spatial reference -1 stands for coordinates without a place: pixels.
"""

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

from rasterio.crs import CRS

from geomag.ask.objects import MapObject
from geomag.ask.objects_file import ObjectTable
from geomag.ask.rings import ring_bounds
from geomag.ask.wkb import polygon_wkb
from geomag.io import atomic_path

TABLE = "objects"
NO_PLACE = -1
_OWN_ID = 100_000
"""Number of a CRS that no authority numbers; below it are EPSG's."""
_APPLICATION_ID, _VERSION = 0x47504B47, 10300  # "GPKG", 1.3.0
_NO_CLOCK = "2000-01-01T00:00:00.000Z"
"""Value of ``last_change``, which the format wants; constant: equal answers, equal bytes."""
_XY_ENVELOPE_LITTLE = 0b0000_0011

_SCHEMA = """
CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE objects (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom POLYGON, mask INTEGER, phrase TEXT,
  score DOUBLE, area_px INTEGER, area_m2 DOUBLE, prompt TEXT, model TEXT);
"""
_INSERT = (
    "INSERT INTO objects (id, geom, mask, phrase, score, area_px, area_m2, prompt, model) VALUES "
    "(:id, :geom, :mask, :phrase, :score, :area_px, :area_m2, :prompt, :model)"
)


def write_geopackage(path: Path, table: ObjectTable) -> None:
    """Write the objects in the scene's own CRS, atomically."""
    with atomic_path(path) as temporary, closing(sqlite3.connect(temporary)) as database:
        database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {_VERSION}")
        database.executescript(_SCHEMA)
        srs_id = _add_references(database, table.crs)
        bounds = table.bounds() or (None, None, None, None)
        database.execute(
            "INSERT INTO gpkg_contents VALUES (?, 'features', ?, ?, ?, ?, ?, ?, ?, ?)",
            (TABLE, TABLE, table.prompt, _NO_CLOCK, *bounds, srs_id),
        )
        database.execute(
            "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'POLYGON', ?, 0, 0)",
            (TABLE, srs_id),
        )
        rows = ({**table.row(o), "geom": geometry_blob(o, srs_id)} for o in table.objects)
        database.executemany(_INSERT, rows)
        database.commit()


def geometry_blob(one: MapObject, srs_id: int) -> bytes:
    """GeoPackage's binary geometry: magic, version, flags, CRS, envelope, then WKB."""
    x0, y0, x1, y1 = ring_bounds(one.rings[0])
    head = struct.pack("<2sBBi4d", b"GP", 0, _XY_ENVELOPE_LITTLE, srs_id, x0, x1, y0, y1)
    return head + polygon_wkb(one.rings)


def _add_references(database: sqlite3.Connection, crs: CRS | None) -> int:
    """The three systems that every GeoPackage lists, and the scene's own; returns its id."""
    wgs84 = CRS.from_epsg(4326).to_wkt()
    rows = [
        (
            "Undefined Cartesian SRS",
            NO_PLACE,
            "NONE",
            NO_PLACE,
            "undefined",
            "pixels, or a grid of the image's own",
        ),
        ("Undefined geographic SRS", 0, "NONE", 0, "undefined", ""),
        ("WGS 84 geodetic", 4326, "EPSG", 4326, wgs84, "longitude and latitude"),
    ]
    srs_id = NO_PLACE
    if crs is not None:
        code = crs.to_epsg()
        srs_id = _OWN_ID if code is None else code
        owner = "NONE" if code is None else "EPSG"
        if srs_id != 4326:
            rows.append((crs.to_string()[:80], srs_id, owner, srs_id, crs.to_wkt(), ""))
    database.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", rows)
    return srs_id
