"""Own pictures with boxes, drawn here: a plain one, one with alpha, a tiled LZW TIFF."""

import numpy as np
import pytest
import rasterio
from PIL import Image

HEADER = "image_path,xmin,ymin,xmax,ymax,label"
FOREST = [
    (4, 4, 30, 30, "Tree"),  # the largest, upper left
    (35, 6, 47, 18, "Tree"),  # near the line between thirds
    (100, 100, 112, 110, "Tree"),  # alone in the lower right
    (8, 60, 16, 70, "Tree"),
]
CITY = [(60, 40, 90, 60, "Dead"), (10, 10, 20, 20, "Alive"), (150, 90, 158, 98, "Alive")]


def noise(height, width, bands):
    return np.random.default_rng(bands).integers(0, 256, (height, width, bands), dtype=np.uint8)


def csv_of(path, image, rows):
    lines = [HEADER, *(f"{image},{','.join(map(str, row))}" for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def voc_of(path, image, rows):
    objects = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for x0, y0, x1, y1, label in rows
    )
    path.write_text(f"<annotation><filename>{image}</filename>{objects}</annotation>")


@pytest.fixture
def folder(tmp_path):
    """Two pictures: a PNG with alpha and a CSV; a tiled TIFF, LZW, with Pascal VOC."""
    root = tmp_path / "pictures"
    root.mkdir()
    Image.fromarray(noise(120, 120, 4)).save(root / "forest.png")
    csv_of(root / "forest.csv", "forest.png", FOREST)
    tiles = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "lzw"}
    city = noise(160, 200, 3).transpose(2, 0, 1)
    size = {"width": 200, "height": 160, "count": 3, "dtype": "uint8"}
    with rasterio.open(
        root / "city.tif", "w", driver="GTiff", photometric="RGB", **size, **tiles
    ) as out:
        out.write(city)
    voc_of(root / "city.xml", "city.tif", CITY)
    return root
