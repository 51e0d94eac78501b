"""Objects in three formats, read back by GDAL, by pyarrow, and by hand; areas and the globe."""

import json
import math
import sqlite3
import struct

import numpy as np
import pyarrow.parquet as pq
import pytest
from affine import Affine
from rasterio.crs import CRS

from geomag.ask.geojson import write_geojson
from geomag.ask.geopackage import write_geopackage
from geomag.ask.geoparquet import write_geoparquet
from geomag.ask.objects import MapObject, area_m2
from geomag.ask.objects_file import ObjectTable
from geomag.ask.rings import oriented, polygon_area
from geomag.ask.scene import Grid
from tests.ask.ogr import read_layer

UTM = CRS.from_epsg(32631)


def ring(x0, y0, x1, y1, *, is_hole=False):
    points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]], dtype=float)
    return oriented(points, is_hole=is_hole)


def table(*rings, crs=UTM, phrase="the red ship", prompt="Mark it."):
    one = MapObject(7, 1, phrase, 0.5, 96, 24.0, rings)
    return ObjectTable([one], prompt, "base:b1", Grid(10, 10, Affine.identity(), crs))


SQUARE = (ring(500_000, 5_000_000, 500_010, 5_000_010),)
HOLE = ring(500_002, 5_000_002, 500_004, 5_000_004, is_hole=True)


def test_gdal_reads_the_geopackage_with_its_crs_fields_and_hole(tmp_path):
    write_geopackage(tmp_path / "o.gpkg", table(*SQUARE, HOLE))
    code, (row,) = read_layer(tmp_path / "o.gpkg")
    assert code == "32631"
    assert row["area"] == pytest.approx(100 - 4)
    wanted = {"mask": "1", "phrase": "the red ship", "score": "0.5", "area_px": "96"}
    assert wanted.items() <= row.items()
    assert (row["prompt"], row["model"]) == ("Mark it.", "base:b1")


def test_the_geopackage_is_marked_and_its_geometry_has_header_and_envelope(tmp_path):
    path = tmp_path / "o.gpkg"
    write_geopackage(path, table(*SQUARE))
    assert path.read_bytes()[68:72] == b"GPKG"  # SQLite header, application id
    base = sqlite3.connect(path)
    blob, number = base.execute("SELECT geom, id FROM objects").fetchone()
    assert number == 7
    assert blob[:4] == b"GP\x00\x03"
    srs_id, x0, x1, y0, y1 = struct.unpack("<i4d", blob[4:40])
    assert (srs_id, x0, x1, y0, y1) == (32631, 500_000, 500_010, 5_000_000, 5_000_010)
    assert struct.unpack("<BIII", blob[40:53]) == (1, 3, 1, 5)
    points = np.frombuffer(blob[53:], dtype="<f8").reshape(5, 2)
    assert np.array_equal(points, SQUARE[0])
    assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert base.execute("PRAGMA foreign_key_check").fetchall() == []


def test_f07_pixels_stand_in_the_undefined_system(tmp_path):
    write_geopackage(tmp_path / "o.gpkg", table(ring(0, 0, 4, 4), crs=None))
    base = sqlite3.connect(tmp_path / "o.gpkg")
    assert base.execute("SELECT srs_id FROM gpkg_geometry_columns").fetchone() == (-1,)
    assert read_layer(tmp_path / "o.gpkg")[1][0]["area"] == 16


def test_f42_formulas_and_markup_stay_text_in_every_format(tmp_path):
    bad = "=cmd|'/C calc'!A0 <script>alert(1)</script> '; DROP TABLE objects; --"
    content = table(*SQUARE, phrase=bad, prompt=bad)
    write_geopackage(tmp_path / "o.gpkg", content)
    write_geojson(tmp_path / "o.geojson", content)
    write_geoparquet(tmp_path / "o.parquet", content)
    assert read_layer(tmp_path / "o.gpkg")[1][0]["phrase"] == bad
    assert read_layer(tmp_path / "o.geojson")[1][0]["prompt"] == bad
    assert pq.read_table(tmp_path / "o.parquet")["phrase"].to_pylist() == [bad]


def test_geoparquet_says_where_its_geometry_is_and_in_which_crs(tmp_path):
    write_geoparquet(tmp_path / "o.parquet", table(*SQUARE))
    stored = pq.read_table(tmp_path / "o.parquet")
    geo = json.loads(stored.schema.metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert geo["primary_column"] == "geometry"
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 32631}
    assert column["bbox"] == [500_000, 5_000_000, 500_010, 5_000_010]
    wkb = stored["geometry"][0].as_py()
    assert struct.unpack("<BIII", wkb[:13]) == (1, 3, 1, 5)
    assert np.array_equal(np.frombuffer(wkb[13:], "<f8").reshape(5, 2), SQUARE[0])


def features(path):
    return json.loads(path.read_text())["features"]


def test_geojson_is_longitude_latitude_counterclockwise(tmp_path):
    write_geojson(tmp_path / "o.geojson", table(*SQUARE, HOLE))
    (feature,) = features(tmp_path / "o.geojson")
    outer, hole = (np.array(r) for r in feature["geometry"]["coordinates"])
    # easting 500,000 of zone 31 is 3 degrees east; 5,000 km north is near 45.15 degrees
    assert outer[0] == pytest.approx([3.0, 45.153], abs=1e-3)
    assert polygon_area([outer]) > 0
    turning = []
    for points in (outer, hole):
        (ax, ay), (bx, by) = points[1] - points[0], points[2] - points[1]
        turning.append(ax * by - ay * bx)
    assert turning[0] > 0 > turning[1]
    assert feature["id"] == 7
    assert feature["properties"]["score"] == 0.5


@pytest.mark.parametrize(
    ("crs", "rings"),
    [
        (CRS.from_epsg(32660), (ring(820_000, 1_000_000, 840_000, 1_010_000),)),
        (CRS.from_epsg(4326), (ring(179.9, 10, 180.1, 10.2),)),
        (CRS.from_epsg(4326), (ring(-180.1, 10, -179.9, 10.2),)),
    ],
)
def test_f09_what_crosses_180_degrees_is_cut_in_two(tmp_path, crs, rings):
    write_geojson(tmp_path / "o.geojson", table(*rings, crs=crs))
    geometry = features(tmp_path / "o.geojson")[0]["geometry"]
    assert geometry["type"] == "MultiPolygon"
    spans = sorted(
        (min(x for x, _ in p[0]), max(x for x, _ in p[0])) for p in geometry["coordinates"]
    )
    assert spans[0][0] == -180
    assert spans[0][1] < -179.8
    assert spans[1][0] > 179.8
    assert spans[1][1] == 180


def ground(crs, x0, y0, x1, y1, transform=None):
    grid = Grid(10, 10, transform or Affine.identity(), CRS.from_user_input(crs))
    return area_m2(100, [ring(x0, y0, x1, y1)], grid)


def test_f09_areas_are_square_metres_whatever_the_unit_of_the_crs():
    half_metre = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    assert ground("EPSG:32631", 0, 0, 1, 1, half_metre) == pytest.approx(25)
    feet = Affine(1, 0, 900_000, 0, -1, 200_000)  # US survey feet
    assert ground("EPSG:2263", 0, 0, 1, 1, feet) == pytest.approx(100 * (1200 / 3937) ** 2)
    assert area_m2(100, [ring(0, 0, 1, 1)], Grid(1, 1, Affine.identity(), None)) is None


def cell(latitude):
    """Area of 0.01 x 0.01 degrees on a sphere of WGS 84's authalic radius."""
    low, high = math.radians(latitude), math.radians(latitude + 0.01)
    return 6_371_007.2**2 * math.radians(0.01) * (math.sin(high) - math.sin(low))


@pytest.mark.parametrize("latitude", [0.0, 45.0, 60.0, 89.0])
@pytest.mark.parametrize("longitude", [3.0, 179.995])
def test_f09_degrees_are_measured_on_the_ground(latitude, longitude):
    found = ground("EPSG:4326", longitude, latitude, longitude + 0.01, latitude + 0.01)
    assert found == pytest.approx(cell(latitude), rel=0.01)  # the sphere is off by up to 0.7 %


def test_f09_web_mercator_does_not_inflate_by_latitude():
    # 1 km of Mercator at 60 degrees north is half a kilometre of ground
    y = math.log(math.tan(math.radians(75))) * 6_378_137
    found = ground("EPSG:3857", 1_000_000, y - 500, 1_001_000, y + 500)
    assert found == pytest.approx(250_000, rel=0.01)


@pytest.mark.parametrize("crs", ["EPSG:3413", "EPSG:3031"])
def test_f09_polar_maps_are_measured_where_they_shrink(crs):
    # at the pole the map's scale is 0.97, so a map kilometre is longer on the ground
    assert ground(crs, 0, 0, 1000, 1000) == pytest.approx(1e6 / 0.9728**2, rel=0.01)
