"""Objects in three formats, read back by geopandas, by SQLite and by hand; areas and the globe."""

import json
import math
import sqlite3
import subprocess
import sys

import geopandas
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS
from shapely import Polygon, box

from geomag.ask.objects import MapObject, area_m2
from geomag.ask.scene import Grid
from geomag.ask.vectors import (
    COLUMNS,
    ObjectTable,
    write_geojson,
    write_geopackage,
    write_geoparquet,
)
from tests.ask.layers import read_layer

UTM = CRS.from_epsg(32631)


def table(*polygons, crs=UTM, phrase="the red ship", prompt="Mark it."):
    objects = [
        MapObject(7 + n, 1, phrase, 0.5, 96, 24.0, shapely.orient_polygons(one))
        for n, one in enumerate(polygons)
    ]
    return ObjectTable(objects, prompt, "base:b1", Grid(10, 10, Affine.identity(), crs))


SQUARE = box(500_000, 5_000_000, 500_010, 5_000_010)
HOLED = SQUARE - box(500_002, 5_000_002, 500_004, 5_000_004)
WRITERS = {
    "o.gpkg": write_geopackage,
    "o.geojson": write_geojson,
    "o.parquet": write_geoparquet,
}


def test_gdal_reads_the_geopackage_with_its_crs_fields_and_hole(tmp_path):
    write_geopackage(tmp_path / "o.gpkg", table(HOLED))
    code, (row,) = read_layer(tmp_path / "o.gpkg")
    assert code == "32631"
    assert row["geometry"].equals(HOLED)
    wanted = {"mask": 1, "phrase": "the red ship", "score": 0.5, "area_px": 96, "area_m2": 24.0}
    assert wanted.items() <= row.items()
    assert (row["prompt"], row["model"]) == ("Mark it.", "base:b1")
    (fid,) = geopandas.read_file(tmp_path / "o.gpkg", fid_as_index=True).index
    assert fid == 7


def test_the_geopackage_is_marked_whole_and_indexed(tmp_path):
    path = tmp_path / "o.gpkg"
    write_geopackage(path, table(SQUARE))
    assert path.read_bytes()[68:72] == b"GPKG"  # SQLite header, application id
    base = sqlite3.connect(path)
    columns = [row[1] for row in base.execute("PRAGMA table_info(objects)")]
    assert sorted(columns) == sorted([*COLUMNS, "geom"])
    assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert base.execute("PRAGMA foreign_key_check").fetchall() == []
    extent = base.execute("SELECT min_x, min_y, max_x, max_y FROM gpkg_contents").fetchone()
    assert extent == SQUARE.bounds
    assert base.execute("SELECT id, minx, maxy FROM rtree_objects_geom").fetchall() == [
        (7, 500_000, 5_000_010)
    ]


def test_a_box_of_the_map_is_answered_by_the_geopackages_index(tmp_path):
    far = box(600_000, 5_000_000, 600_010, 5_000_010)
    write_geopackage(tmp_path / "o.gpkg", table(SQUARE, far))
    found = pyogrio.read_dataframe(
        tmp_path / "o.gpkg", bbox=(599_000, 4_999_000, 601_000, 5_001_000)
    )
    assert [one.bounds for one in found.geometry] == [far.bounds]


def test_f07_pixels_stand_in_the_undefined_system(tmp_path):
    write_geopackage(tmp_path / "o.gpkg", table(box(0, 0, 4, 4), crs=None))
    base = sqlite3.connect(tmp_path / "o.gpkg")
    assert base.execute("SELECT srs_id FROM gpkg_geometry_columns").fetchone() == (-1,)
    code, (row,) = read_layer(tmp_path / "o.gpkg")
    assert row["area"] == 16
    assert code is None


def test_f42_formulas_and_markup_stay_text_in_every_format(tmp_path):
    bad = "=cmd|'/C calc'!A0 <script>alert(1)</script> '; DROP TABLE objects; --"
    content = table(SQUARE, phrase=bad, prompt=bad)
    for name, write in WRITERS.items():
        write(tmp_path / name, content)
    assert read_layer(tmp_path / "o.gpkg")[1][0]["phrase"] == bad
    assert read_layer(tmp_path / "o.geojson")[1][0]["prompt"] == bad
    assert pq.read_table(tmp_path / "o.parquet")["phrase"].to_pylist() == [bad]


def test_geoparquet_says_where_its_geometry_is_and_in_which_crs(tmp_path):
    write_geoparquet(tmp_path / "o.parquet", table(HOLED))
    stored = pq.read_table(tmp_path / "o.parquet")
    geo = json.loads(stored.schema.metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert geo["primary_column"] == "geometry"
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 32631}
    assert column["bbox"] == [500_000, 5_000_000, 500_010, 5_000_010]
    assert shapely.from_wkb(stored["geometry"][0].as_py()).equals(HOLED)
    assert geopandas.read_parquet(tmp_path / "o.parquet").crs.to_epsg() == 32631


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("polygons", [(SQUARE, HOLED), ()], ids=["two", "none"])
def test_the_same_objects_give_the_same_bytes_at_another_time(tmp_path, name, polygons):
    times = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        WRITERS[name](tmp_path / folder / name, table(*polygons))
        times.append((tmp_path / folder / name).read_bytes())
    assert times[0] == times[1]
    if name == "o.gpkg":  # a clock ticks in milliseconds, so equal bytes alone could be luck
        base = sqlite3.connect(tmp_path / "one" / name)
        said = base.execute("SELECT last_change FROM gpkg_contents").fetchall()
        assert said == [("2000-01-01T00:00:00.000Z",)]
        assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") is None


@pytest.mark.parametrize("crs", [UTM, None])
def test_no_objects_are_a_layer_without_features(tmp_path, crs):
    for name, write in WRITERS.items():
        write(tmp_path / name, table(crs=crs))
    assert read_layer(tmp_path / "o.gpkg")[1] == []
    assert features(tmp_path / "o.geojson") == []
    assert len(geopandas.read_parquet(tmp_path / "o.parquet")) == 0


def test_the_command_line_starts_without_geopandas():
    code = (
        "import sys, geomag.cli.main, geomag.cli.ask\n"
        "print({'geopandas', 'pyogrio', 'shapely', 'pandas'} & set(sys.modules) or 'none')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["none"]


def features(path):
    return json.loads(path.read_text())["features"]


def test_geojson_is_longitude_latitude_counterclockwise(tmp_path):
    write_geojson(tmp_path / "o.geojson", table(HOLED))
    (feature,) = features(tmp_path / "o.geojson")
    outer, hole = (shapely.LinearRing(r) for r in feature["geometry"]["coordinates"])
    # easting 500,000 of zone 31 is 3 degrees east; 5,000 km north is near 45.15 degrees
    assert outer.bounds[:2] == pytest.approx([3.0, 45.153], abs=1e-3)
    assert outer.is_ccw
    assert not hole.is_ccw
    assert feature["id"] == 7
    assert feature["properties"]["score"] == 0.5
    assert "crs" not in json.loads((tmp_path / "o.geojson").read_text())  # RFC 7946, section 4


@pytest.mark.parametrize(
    ("crs", "polygon"),
    [
        (CRS.from_epsg(32660), box(820_000, 1_000_000, 840_000, 1_010_000)),
        (CRS.from_epsg(4326), box(179.9, 10, 180.1, 10.2)),
        (CRS.from_epsg(4326), box(-180.1, 10, -179.9, 10.2)),
    ],
)
def test_f09_what_crosses_180_degrees_is_cut_in_two(tmp_path, crs, polygon):
    write_geojson(tmp_path / "o.geojson", table(polygon, crs=crs))
    geometry = features(tmp_path / "o.geojson")[0]["geometry"]
    assert geometry["type"] == "MultiPolygon"
    parts = [Polygon(part[0]) for part in geometry["coordinates"]]
    west, east = sorted((part.bounds for part in parts), key=lambda bounds: bounds[0])
    assert west[0] == -180
    assert west[2] < -179.8
    assert east[0] > 179.8
    assert east[2] == 180
    assert all(part.exterior.is_ccw for part in parts)


def ground(crs, x0, y0, x1, y1, transform=None):
    grid = Grid(10, 10, transform or Affine.identity(), CRS.from_user_input(crs))
    return area_m2(100, box(x0, y0, x1, y1), grid)


def test_f09_areas_are_square_metres_whatever_the_unit_of_the_crs():
    half_metre = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    assert ground("EPSG:32631", 0, 0, 1, 1, half_metre) == pytest.approx(25)
    feet = Affine(1, 0, 900_000, 0, -1, 200_000)  # US survey feet
    assert ground("EPSG:2263", 0, 0, 1, 1, feet) == pytest.approx(100 * (1200 / 3937) ** 2)
    assert area_m2(100, box(0, 0, 1, 1), Grid(1, 1, Affine.identity(), None)) is None


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
