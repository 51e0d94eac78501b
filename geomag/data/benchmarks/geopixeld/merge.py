"""A drop joined to GeoPixelD."""

from pathlib import Path

from geomag.data.benchmarks.merge_lines import conflict, copy_file, same_file
from geomag.data.benchmarks.tree import locate_with
from geomag.errors import AnnotationError
from geomag.io import visible


def merge(base: Path, drop: Path, out: Path) -> tuple[str, ...]:
    """A JSON file a patch: new ones are added, none is changed."""
    folder = locate_with(base, "train", "test", wanted="GeoPixelD/{train,test}")
    place = folder.relative_to(base)
    parts = [place / "train", place / "test"]
    new = [path.relative_to(drop) for part in parts for path in visible(drop / part, "*.json")]
    if not new:
        raise AnnotationError(str(drop), f"no {parts[0].as_posix()}/*.json", "one for each patch")
    for name in new:
        for part in parts:
            other = base / part / name.name
            if other.is_file() and (part != name.parent or not same_file(other, drop / name)):
                raise conflict(f"{name.as_posix()} of the drop", "the patch", part.as_posix())
        copy_file(drop / name, out / name)
    return tuple(name.as_posix() for name in new)
