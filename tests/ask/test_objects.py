"""Objects of a drawn mask: their own score, specks and holes, fewer corners, where they lie."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.crs import CRS

from geomag.ask.answer import ask_image
from geomag.ask.options import AskOptions
from geomag.inference.output import DrawnMask, PipelineOutput
from tests.ask.layers import read_layer
from tests.ask.rasters import AT, UTM, BrightPixels, grey, write_tif

PROMPT = "Mark the red ship in this image with a mask."


class Probable(BrightPixels):
    """Bright pixels, each as probable as its green band says."""

    def ask(self, image, prompt, *, arm="magcrop"):
        mask = DrawnMask(prompt.subject, 0.8, image[..., 0] > 200, image[..., 1])
        return PipelineOutput("It is [SEG].", (mask,))


def ask(path, out, model=None, **options):
    return ask_image(
        model or BrightPixels(), path, PROMPT, out, AskOptions(**options), log=lambda _: None
    )


def mask_of(out):
    with rasterio.open(out / "mask.tif") as raster:
        return raster.read(1)


@pytest.mark.parametrize("windows", [{}, {"tile_px": 32, "overlap_px": 8}])
def test_an_object_has_its_own_score_not_its_windows(tmp_path, windows):
    pixels = grey(100, 100, (5, 5, 25, 15), (60, 60, 70, 80))
    pixels[1, 5:15, 5:25] = 153  # 0.6 of 255
    pixels[1, 60:80, 60:70] = 230
    path = write_tif(tmp_path / "a.tif", pixels)
    answer = ask(path, tmp_path / "out", Probable(), **windows)
    scores = [float(r["score"]) for r in read_layer(tmp_path / "out" / "objects.gpkg")[1]]
    assert scores == pytest.approx([153 / 255, 230 / 255])
    assert answer["masks"][0]["score"] == pytest.approx((153 + 230) / 2 / 255, abs=1e-4)


def test_an_object_across_seams_is_scored_by_all_of_its_pixels(tmp_path):
    pixels = grey(40, 200, (10, 10, 190, 20))
    pixels[1, 10:20, 10:100], pixels[1, 10:20, 100:190] = 153, 255
    path = write_tif(tmp_path / "a.tif", pixels)
    ask(path, tmp_path / "out", Probable(), tile_px=32, overlap_px=8)
    (row,) = read_layer(tmp_path / "out" / "objects.gpkg")[1]
    assert float(row["score"]) == pytest.approx((153 + 255) / 2 / 255)


def test_specks_go_and_small_holes_are_filled_in_mask_and_objects_alike(tmp_path):
    pixels = grey(60, 60, (5, 5, 45, 45), (50, 50, 53, 52))  # the second one is 6 pixels
    pixels[:, 10:12, 10:13] = 50  # a hole of 6
    pixels[:, 20:24, 20:24] = 50  # a hole of 16
    path = write_tif(tmp_path / "a.tif", pixels)
    answer = ask(path, tmp_path / "out")
    assert answer["objects"] == {"min_area_px": 8, "simplify_px": 0.0, "removed": 1}
    assert any("fewer than 8 pixels" in n and "--min-area" in n for n in answer["notes"])
    assert answer["masks"][0]["area_px"] == 1600 - 16
    wanted = np.zeros((60, 60), dtype=np.uint8)
    wanted[5:45, 5:45] = 1
    wanted[20:24, 20:24] = 0
    assert np.array_equal(mask_of(tmp_path / "out"), wanted)
    (row,) = read_layer(tmp_path / "out" / "objects.gpkg")[1]
    assert row["area"] == pytest.approx((1600 - 16) / 4)

    answer = ask(path, tmp_path / "all", min_area_px=1)
    assert answer["objects"]["removed"] == 0
    assert np.array_equal(mask_of(tmp_path / "all"), (pixels[0] > 200).astype(np.uint8))


def test_a_hole_that_was_not_seen_is_no_object(tmp_path):
    pixels = grey(40, 40, (5, 5, 25, 25)).astype(np.int16)
    pixels[:, 10:12, 10:12] = -1
    path = write_tif(tmp_path / "a.tif", pixels, nodata=-1)
    answer = ask(path, tmp_path / "out")
    assert answer["masks"][0]["area_px"] == 400 - 4
    assert (mask_of(tmp_path / "out")[10:12, 10:12] == 255).all()


def test_simplified_outlines_have_fewer_corners_and_the_areas_of_the_pixels(tmp_path):
    rows, columns = np.mgrid[:80, :80]
    disc = (rows - 40) ** 2 + (columns - 40) ** 2 < 30**2
    pixels = np.where(disc, 250, 50).astype(np.uint8)[None].repeat(3, axis=0)
    path = write_tif(tmp_path / "a.tif", pixels)
    areas = []
    for tolerance, most in ((0.0, 500), (1.0, 60)):
        out = tmp_path / str(tolerance)
        ask(path, out, formats=("geojson", "gpkg"), simplify_px=tolerance)
        (feature,) = json.loads((out / "objects.geojson").read_text())["features"]
        assert len(feature["geometry"]["coordinates"][0]) < most
        assert feature["properties"]["area_px"] == disc.sum()
        areas.append(read_layer(out / "objects.gpkg")[1][0]["area"])
    assert areas[1] == pytest.approx(areas[0], rel=0.05)


def test_an_outline_that_would_cross_itself_is_simplified_less(tmp_path):
    # a slit one pixel wide, whose banks lie within the tolerance of one line, and a hole beside it
    pixels = grey(40, 40, (5, 5, 35, 35))
    pixels[:, 18:19, 10:35], pixels[:, 24:32, 12:30] = 50, 50
    path = write_tif(tmp_path / "a.tif", pixels)
    ask(path, tmp_path / "out", simplify_px=3.0)
    (row,) = read_layer(tmp_path / "out" / "objects.gpkg")[1]
    assert row["geometry"].is_valid
    assert len(row["geometry"].interiors) == 1
    assert row["area_px"] == 900 - 25 - 8 * 18


def test_an_object_that_closes_on_itself_at_a_corner_is_a_valid_polygon(tmp_path):
    pixels = grey(30, 30, (5, 5, 25, 25))
    pixels[:, 10:20, 10:20] = 50  # a hole
    pixels[:, 5:10, 20:25] = 50  # and a bay that meets it at one corner
    path = write_tif(tmp_path / "a.tif", pixels)
    ask(path, tmp_path / "out")
    (row,) = read_layer(tmp_path / "out" / "objects.gpkg")[1]
    assert row["geometry"].is_valid
    assert row["geometry"].geom_type == "Polygon"
    assert row["area"] == pytest.approx((400 - 100 - 25) / 4)


@pytest.mark.parametrize("crs", [None, 'LOCAL_CS["site grid",UNIT["metre",1]]'])
def test_a_transform_without_a_place_on_the_ground_places_mask_and_objects_alike(tmp_path, crs):
    path = write_tif(tmp_path / "a.tif", grey(20, 20, (2, 3, 6, 5)), crs=UTM)
    with rasterio.open(path, "r+") as out:
        out.crs = CRS.from_wkt(crs) if crs else CRS()
    answer = ask(path, tmp_path / "out", formats=("gpkg", "geojson", "geoparquet"))
    assert answer["image"]["crs"] is None
    with rasterio.open(tmp_path / "out" / "mask.tif") as raster:
        assert (raster.crs, raster.transform) == (None, AT)
    code, (row,) = read_layer(tmp_path / "out" / "objects.gpkg")
    assert (code, row["area"], row["area_m2"]) == (None, pytest.approx(8 * 0.25), None)
    tree = json.loads((tmp_path / "out" / "objects.geojson").read_text())
    corners = {tuple(p) for p in tree["features"][0]["geometry"]["coordinates"][0]}
    assert corners == {AT @ corner for corner in ((2, 3), (6, 3), (6, 5), (2, 5))}
    assert "own transform" in tree["coordinates"]
    note = next(note for note in answer["notes"] if "not placed on the ground" in note)
    assert ("'site grid' is local" in note) == bool(crs)


def test_a_world_file_beside_a_picture_places_all_layers(tmp_path):
    Image.fromarray(grey(20, 20, (2, 3, 6, 5)).transpose(1, 2, 0)).save(tmp_path / "a.png")
    (tmp_path / "a.pgw").write_text("0.5\n0\n0\n-0.5\n100.25\n199.75\n")
    ask(tmp_path / "a.png", tmp_path / "out")
    place = Affine(0.5, 0, 100, 0, -0.5, 200)
    with rasterio.open(tmp_path / "out" / "mask.tif") as raster:
        assert raster.transform == place
    assert read_layer(tmp_path / "out" / "objects.gpkg")[1][0]["area"] == pytest.approx(2.0)


def test_the_same_question_gives_the_same_bytes_of_every_layer(tmp_path):
    path = write_tif(tmp_path / "a.tif", grey(40, 60, (10, 5, 30, 15)))
    for name in ("one", "two"):
        ask(path, tmp_path / name, formats=("gpkg", "geojson", "geoparquet"))
    for file in ("mask.tif", "objects.gpkg", "objects.geojson", "objects.parquet", "overlay.png"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
