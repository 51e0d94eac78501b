"""GDAL's own vector reader, through the library that rasterio carries: an independent reading."""

import ctypes
from pathlib import Path

import rasterio


def _library():
    folder = Path(rasterio.__file__).parent.parent / "rasterio.libs"
    lib = ctypes.CDLL(str(next(folder.glob("libgdal*"))))
    for name, result, arguments in (
        ("GDALOpenEx", "p", "siiii"),
        ("GDALDatasetGetLayer", "p", "pi"),
        ("GDALDatasetGetLayerCount", "i", "p"),
        ("OGR_L_GetNextFeature", "p", "p"),
        ("OGR_L_GetSpatialRef", "p", "p"),
        ("OSRGetAuthorityCode", "s", "ps"),
        ("OGR_F_GetGeometryRef", "p", "p"),
        ("OGR_F_GetFieldCount", "i", "p"),
        ("OGR_F_GetFieldDefnRef", "p", "pi"),
        ("OGR_F_GetFieldAsString", "s", "pi"),
        ("OGR_Fld_GetNameRef", "s", "p"),
        ("OGR_G_ExportToJson", "s", "p"),
        ("OGR_G_Area", "d", "p"),
        ("GDALGetRasterBand", "p", "pi"),
        ("GDALGetDefaultRAT", "p", "p"),
        ("GDALRATGetRowCount", "i", "p"),
        ("GDALRATGetValueAsString", "s", "pii"),
    ):
        kinds = {"p": ctypes.c_void_p, "s": ctypes.c_char_p, "i": ctypes.c_int}
        kinds["d"] = ctypes.c_double
        function = getattr(lib, name)
        function.restype = kinds[result]
        function.argtypes = [
            ctypes.c_void_p if name == "GDALOpenEx" and i > 1 else kinds[k]
            for i, k in enumerate(arguments)
        ]
    lib.GDALAllRegister()
    return lib


_RASTER_READ_ONLY, _VECTOR_READ_ONLY = 0x02, 0x04


def read_layer(path: Path) -> tuple[str | None, list[dict]]:
    """The EPSG code of a file's first layer, and per feature its fields and ``area``."""
    lib = _library()
    source = lib.GDALOpenEx(str(path).encode(), _VECTOR_READ_ONLY, None, None, None)
    assert source, f"GDAL cannot open {path}"
    layer = lib.GDALDatasetGetLayer(source, 0)
    reference = lib.OGR_L_GetSpatialRef(layer)
    code = lib.OSRGetAuthorityCode(reference, None) if reference else None
    found = []
    while feature := lib.OGR_L_GetNextFeature(layer):
        fields = {}
        for i in range(lib.OGR_F_GetFieldCount(feature)):
            name = lib.OGR_Fld_GetNameRef(lib.OGR_F_GetFieldDefnRef(feature, i)).decode()
            fields[name] = lib.OGR_F_GetFieldAsString(feature, i).decode()
        fields["area"] = lib.OGR_G_Area(lib.OGR_F_GetGeometryRef(feature))
        found.append(fields)
    return code and code.decode(), found


def read_value_table(path: Path) -> list[tuple[str, str]]:
    """Value and name of each row of a raster's attribute table."""
    lib = _library()
    source = lib.GDALOpenEx(str(path).encode(), _RASTER_READ_ONLY, None, None, None)
    assert source, f"GDAL cannot open {path}"
    table = lib.GDALGetDefaultRAT(lib.GDALGetRasterBand(source, 1))
    assert table, f"{path} has no attribute table"
    cell = lib.GDALRATGetValueAsString
    return [
        (cell(table, row, 0).decode(), cell(table, row, 1).decode())
        for row in range(lib.GDALRATGetRowCount(table))
    ]
