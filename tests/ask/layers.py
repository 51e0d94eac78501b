"""What GIS programs read of an answer's files: features by geopandas, values by GDAL's VRT."""

from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas
import rasterio.shutil


def read_layer(path: Path) -> tuple[str | None, list[dict]]:
    """The EPSG code of a file's layer, and per feature its fields, ``area`` and ``geometry``."""
    frame = geopandas.read_file(path)
    code = None if frame.crs is None else frame.crs.to_epsg()
    fields = frame.drop(columns="geometry").astype(object)
    rows = fields.where(fields.notna(), None).to_dict("records")
    for row, polygon in zip(rows, frame.geometry, strict=True):
        row |= {"area": polygon.area, "geometry": polygon}
    return code and str(code), rows


def read_category_names(path: Path) -> list[str]:
    """Names of a raster's values, as GDAL hands them on to a virtual copy."""
    copy = path.with_name("copy.vrt")
    rasterio.shutil.copy(path, copy, driver="VRT")
    names = ET.fromstring(copy.read_text()).iter("Category")
    return [name.text or "" for name in names]
