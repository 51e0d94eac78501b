"""``objects.parquet``: GeoParquet 1.1, WKB in the scene's own CRS (geoparquet.org, 1.1.0)."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from geomag.ask.objects_file import ObjectTable
from geomag.ask.wkb import polygon_wkb
from geomag.io import atomic_path

_SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("mask", pa.int32()),
        ("phrase", pa.string()),
        ("score", pa.float64()),
        ("area_px", pa.int64()),
        ("area_m2", pa.float64()),
        ("prompt", pa.string()),
        ("model", pa.string()),
        ("geometry", pa.binary()),
    ]
)


def write_geoparquet(path: Path, table: ObjectTable) -> None:
    """Write the objects with the ``geo`` metadata that readers look for, atomically."""
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": ["Polygon"] if table.objects else [],
        "orientation": "counterclockwise",
        # null says that the CRS is unknown; leaving it out would say longitude and latitude
        "crs": None if table.crs is None else table.crs.to_dict(projjson=True),
    }
    if (bounds := table.bounds()) is not None:
        column["bbox"] = list(bounds)
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    rows = [{**table.row(one), "geometry": polygon_wkb(one.rings)} for one in table.objects]
    content = pa.Table.from_pylist(rows, schema=_SCHEMA.with_metadata({"geo": json.dumps(geo)}))
    with atomic_path(path) as temporary:
        pq.write_table(content, temporary)
