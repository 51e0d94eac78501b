"""A drop joined to RRSIS-D."""

from pathlib import Path

from geomag.data.benchmarks.fields import field
from geomag.data.benchmarks.merge_tables import joined_rows, write_changed
from geomag.data.benchmarks.rrsis_d.reader import READER
from geomag.data.layouts.encode import write_compact_json, write_pickle
from geomag.data.unpickle import load_plain_pickle
from geomag.errors import AnnotationError
from geomag.io import read_json


def merge(base: Path, drop: Path, out: Path) -> tuple[str, ...]:
    """Refs by ``ref_id``; annotations, images and categories by ``id``."""
    refs, instances = (path.relative_to(base).as_posix() for path in READER.sources(base))
    for name in (refs, instances):
        if not (drop / name).is_file():
            raise AnnotationError(str(drop), f"no {name}", "the layout of data/rrsis_d")
    old, new = read_json(base / instances), read_json(drop / instances)
    joined = {
        key: joined_rows(
            field(old, key, list, place=instances), field(new, key, list, place=instances),
            key="id", place=f"{instances}, {key}",
        )
        for key in ("images", "annotations", "categories")
    }  # fmt: skip
    listed = [load_plain_pickle(root / refs) for root in (base, drop)]
    for rows in listed:
        if not isinstance(rows, list):
            raise AnnotationError(refs, f"a {type(rows).__name__}", "a list of refs")
    write_changed(base, out, instances, old, {**old, **joined}, write_compact_json)
    write_changed(
        base, out, refs, listed[0], joined_rows(*listed, key="ref_id", place=refs), write_pickle
    )
    return instances, refs
