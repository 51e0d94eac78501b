"""What the values of ``mask.tif`` mean, in the forms that GIS programs read: colours and names.

The names stand in GDAL's sidecar, ``mask.tif.aux.xml``: category names, which QGIS shows in its
legend, and a raster attribute table, which ArcGIS and QGIS show as a table.
"""

import colorsys
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from geomag.io import write_bytes

SUFFIX = ".aux.xml"
BACKGROUND, UNSEEN = "background", "not seen"
_CLEAR = (0, 0, 0, 0)
_TURN = 0.381966
"""Golden section of the colour circle: neighbours in number are far apart in hue."""
_FIRST_HUE = 0.93
_INTEGER, _TEXT = "0", "2"
_KINDS = (("Value", _INTEGER, "5"), ("Phrase", _TEXT, "2"), ("Red", _INTEGER, "6"),
          ("Green", _INTEGER, "7"), ("Blue", _INTEGER, "8"))  # fmt: skip
"""Columns of the table: name, GDAL's field type and usage (5 min-max, 2 name, 6 to 8 colours)."""


def colour(number: int) -> tuple[int, int, int]:
    """Red, green and blue of the k-th mask, from 1.

    >>> colour(1) != colour(2)
    True
    """
    hue = (_FIRST_HUE + (number - 1) * _TURN) % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def colours(n_masks: int) -> dict[int, tuple[int, ...]]:
    """Colour table of the mask file: background and what was not seen are clear."""
    table = {number: (*colour(number), 255) for number in range(1, n_masks + 1)}
    return {0: _CLEAR, **table, 255: _CLEAR}


def write_table(mask: Path, names: Mapping[int, str]) -> None:
    """Write the names of a mask file's values beside it, as GDAL reads them."""
    rows = {0: BACKGROUND, **names, 255: UNSEEN}
    top = ET.Element("PAMDataset")
    band = ET.SubElement(top, "PAMRasterBand", band="1")
    categories = ET.SubElement(band, "CategoryNames")
    for value in range(256):
        ET.SubElement(categories, "Category").text = _legal(rows.get(value, ""))
    table = ET.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for index, (name, kind, usage) in enumerate(_KINDS):
        field = ET.SubElement(table, "FieldDefn", index=str(index))
        for tag, text in (("Name", name), ("Type", kind), ("Usage", usage)):
            ET.SubElement(field, tag).text = text
    for index, (value, phrase) in enumerate(rows.items()):
        row = ET.SubElement(table, "Row", index=str(index))
        shown = colour(value) if value in names else (0, 0, 0)
        for cell in (value, phrase, *shown):
            ET.SubElement(row, "F").text = _legal(str(cell))
    ET.indent(top)
    write_bytes(mask.with_name(mask.name + SUFFIX), ET.tostring(top, encoding="utf-8") + b"\n")


def _legal(text: str) -> str:
    """The text with a space for each character that XML cannot hold; a model may say anything."""
    return "".join(one if one.isprintable() else " " for one in text)
