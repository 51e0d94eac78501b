"""Rasters let in: a file on this disk, of a kind known by its first bytes, of a bearable size.

GDAL follows what a name or a file's content says: a VRT reads any other file, ``/vsicurl/`` opens
sockets, an overview named inside a TIFF may be either. So names are checked before GDAL sees them,
kinds by content, one driver is allowed, and its network layer is closed while a scene is open.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import MemoryFile

from geomag.errors import ImageError, UnsafePathError

MAX_SCENE_PIXELS = 4_000_000_000
"""Width times height; ten times the 20,000 x 20,000 of the design's bar."""
MAX_EXPANSION = 1_000_000
"""Bytes of pixels per byte of file; beyond it the header does not belong to the content."""
MAX_BLOCK_BYTES = 512_000_000
"""GDAL decodes whole blocks; one strip of everything would need the memory of everything."""

_DRIVERS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"II*\x00": "GTiff",
    b"MM\x00*": "GTiff",
    b"II+\x00": "GTiff",
    b"MM\x00+": "GTiff",
}
_SCHEME = re.compile(r"^(/vsi\w+/|[a-z][a-z0-9+.-]*:/)", re.IGNORECASE)
_GDAL_OPTIONS: dict[str, Any] = {
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    "GDAL_CACHEMAX": 64,  # MB; a twentieth of the machine otherwise
}


def local_file(name: str | Path) -> Path:
    """A path that a user gave, as a plain file on this disk.

    Raises:
        UnsafePathError: If it names a scheme (``http://``, ``file://``, ``/vsicurl/``).
        ImageError: If there is no such file.
    """
    if found := _SCHEME.match(str(name)):
        raise UnsafePathError(
            str(name),
            f"the scheme {found.group(0)!r}",
            "the path of a file",
            "fetch the file first",
        )
    path = Path(name)
    if not path.is_file():
        raise ImageError(repr(str(name)), "no such file", "a JPEG, PNG or GeoTIFF file")
    return path


@contextmanager
def opened(name: str | Path) -> Iterator[Any]:
    """A raster's dataset, nothing decoded yet.

    Raises:
        UnsafePathError: As `local_file`.
        ImageError: If its first bytes are of another kind, its header is broken, or its size is
            out of range, or it is tied to the ground by control points only.
    """
    path = local_file(name)
    place = repr(str(path))
    with _checked(
        place, partial(_open_file, path), _driver(_magic(path), place), path.stat().st_size
    ) as dataset:
        yield dataset


@contextmanager
def opened_bytes(content: bytes, place: str) -> Iterator[Any]:
    """The dataset of a raster that is in memory already, nothing decoded yet.

    Args:
        content: Of a JPEG, PNG or GeoTIFF file.
        place: What it is called in messages.

    Raises:
        ImageError: As `opened`.
    """
    driver = _driver(content[:4], repr(place))
    with (
        MemoryFile(content) as memory,
        _checked(repr(place), memory.open, driver, len(content)) as dataset,
    ):
        yield dataset


@contextmanager
def _checked(place: str, open_as: Callable[..., Any], driver: str, n_bytes: int) -> Iterator[Any]:
    with rasterio.Env(**_GDAL_OPTIONS), _quiet():
        try:
            dataset = open_as(driver=driver)
        except (RasterioError, UnicodeEncodeError) as broken:
            raise ImageError(
                place, f"cannot be opened ({broken})", remedy="fetch the file again"
            ) from broken
        with dataset:
            _check_size(place, n_bytes, dataset)
            _check_ground(place, dataset)
            yield dataset


def _open_file(path: Path, *, driver: str) -> Any:
    return rasterio.open(path.resolve(), driver=driver)


@contextmanager
def _quiet() -> Iterator[None]:
    """A picture without georeference is an answer with a note, not a warning."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def _magic(path: Path) -> bytes:
    try:
        with path.open("rb") as handle:
            return handle.read(4)
    except OSError as closed:
        raise ImageError(repr(str(path)), f"cannot be opened ({closed.strerror})") from closed


def _driver(magic: bytes, place: str) -> str:
    for start, driver in _DRIVERS.items():
        if magic.startswith(start):
            return driver
    raise ImageError(place, f"starts with bytes {magic.hex(' ')!r}", "a JPEG, PNG or TIFF file")


def _check_size(place: str, n_bytes: int, dataset: Any) -> None:
    """Refuse a scene that is too large, and a header that a file of ``n_bytes`` cannot be of."""
    width, height = dataset.width, dataset.height
    if not 0 < width * height <= MAX_SCENE_PIXELS:
        raise ImageError(
            place, f"{width} x {height} pixels", f"between 1 and {MAX_SCENE_PIXELS:,} pixels"
        )
    item = max(_item_bytes(dtype) for dtype in dataset.dtypes)
    expanded = width * height * item * dataset.count
    if expanded > n_bytes * MAX_EXPANSION:
        raise ImageError(
            place,
            f"the header says {width} x {height} pixels and the file holds {n_bytes:,} bytes",
            remedy="fetch the file again",
        )
    rows, columns = dataset.block_shapes[0]
    if rows * columns * item * dataset.count > MAX_BLOCK_BYTES:
        raise ImageError(
            place,
            f"stored in blocks of {columns} x {rows} pixels",
            f"blocks of at most {MAX_BLOCK_BYTES:,} bytes",
            "rewrite it with `rio convert --co tiled=yes`",
        )


def _item_bytes(dtype: str) -> int:
    digits = re.search(r"\d+$", dtype)
    return int(digits.group()) // 8 if digits else 1


def _check_ground(place: str, dataset: Any) -> None:
    """Control points alone would put the mask in the wrong place: better none."""
    if not dataset.transform.is_identity:
        return
    kind = "ground control points" if dataset.gcps[0] else "RPCs" if dataset.rpcs else ""
    if kind:
        raise ImageError(
            place, f"georeferenced by {kind} only", "a grid", "warp it with `rio warp`"
        )
