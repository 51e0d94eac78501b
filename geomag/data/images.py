"""Images opened safely: the kind by content, the size from the header, a cap before any decode.

Pillow's own guard warns at 89 and fails at 179 megapixels by global state; here the plug-in is
chosen by the first bytes, so a file's suffix, and formats we do not use, play no part.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Exif
from PIL.ImageFile import ImageFile
from PIL.ImageMode import getmode
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from geomag.errors import ImageError
from geomag.parse import LFS_POINTER, LFS_REMEDY

MAX_PIXELS = 200_000_000
"""Width times height; the largest benchmark image has 20 million."""

_KINDS: dict[bytes, type[ImageFile]] = {
    b"\xff\xd8\xff": JpegImageFile,
    b"\x89PNG": PngImageFile,
    b"II*\x00": TiffImageFile,
    b"MM\x00*": TiffImageFile,
    b"II+\x00": TiffImageFile,
    b"MM\x00+": TiffImageFile,
}
_ORIENTATION, _SUBFILE = 274, 254
_REDUCED_OR_MASK = 0b101
"""Bits of a page's kind: an overview of another page, a mask of it."""
_MOST_PAGES = 100
_DTYPES = {"1": "bool", "I;16": "uint16", "I;16B": "uint16", "I": "int32", "F": "float32"}


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What an image's header says."""

    width: int
    """Side in pixels."""
    height: int
    """Side in pixels."""
    mode: str
    """Pillow's mode: RGB, L, P, RGBA, I;16 ..."""
    n_pages: int = 1
    """Pictures in the file, of which the first is read; overviews and masks do not count."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a record of this picture says about it."""
        return ("multi_page",) if self.n_pages > 1 else ()

    @property
    def bands(self) -> int:
        """Number of bands as stored; a palette counts as one."""
        return len(getmode(self.mode).bands)

    @property
    def dtype(self) -> str:
        """Type of one value."""
        return _DTYPES.get(self.mode, "uint8")


def open_image(path: Path) -> ImageFile:
    """Open an image without decoding it; close it, or use it in a ``with``.

    Raises:
        ImageError: If it is missing, not JPEG, PNG or TIFF, broken, empty or above `MAX_PIXELS`.
    """
    try:
        with path.open("rb") as handle:
            magic = handle.read(len(LFS_POINTER))
    except OSError as missing:
        raise ImageError(str(path), f"cannot be opened ({missing.strerror})") from missing
    if magic == LFS_POINTER:
        raise ImageError(str(path), "a Git LFS pointer", "the picture", LFS_REMEDY)
    kind = next((plugin for start, plugin in _KINDS.items() if magic.startswith(start)), None)
    if kind is None:
        raise ImageError(
            str(path), f"starts with bytes {magic[:4].hex(' ')!r}", "a JPEG, PNG or TIFF file"
        )
    try:
        image = kind(path)
    except (SyntaxError, OSError, ValueError, KeyError, OverflowError, EOFError) as broken:
        raise ImageError(
            str(path), f"broken image header ({broken})", remedy="fetch the file again"
        ) from broken
    width, height = image.size
    if not 0 < width * height <= MAX_PIXELS:
        image.close()
        raise ImageError(
            str(path), f"{width} x {height} pixels", f"between 1 and {MAX_PIXELS:,} pixels"
        )
    return image


def image_info(path: Path) -> ImageInfo:
    """Size, mode and pages from the header alone.

    Raises:
        ImageError: As `open_image`, or if the header says that the picture is to be turned:
            some tools turn it and some do not, so nobody knows which way the labels are.
    """
    with open_image(path) as image:
        turned = _orientation(image)
        if turned != 1:
            raise ImageError(
                str(path),
                f"orientation {turned}: to be turned or mirrored before it is looked at",
                "an upright picture, as it was labelled",
                "turn the pixels (exiftran -a, or mogrify -auto-orient) and check the labels",
            )
        return ImageInfo(image.width, image.height, image.mode, _pages(image))


def _orientation(image: ImageFile) -> int:
    """EXIF's or TIFF's orientation; 1 is upright, as is what neither knows."""
    found: Any = 1
    if isinstance(image, TiffImageFile):
        found = image.tag_v2.get(_ORIENTATION, 1)
    elif raw := image.info.get("exif"):
        exif = Exif()
        try:
            exif.load(raw)
            found = exif.get(_ORIENTATION, 1)
        except (SyntaxError, ValueError, KeyError, TypeError, OSError, struct.error):
            return 1  # broken metadata are no picture's fault
    return found if isinstance(found, int) and 1 < found <= 8 else 1


def _pages(image: ImageFile) -> int:
    """Full-size pictures in a TIFF; other kinds hold one."""
    if not isinstance(image, TiffImageFile):
        return 1
    pages = 0
    try:
        for number in range(_MOST_PAGES):
            image.seek(number)
            pages += not int(image.tag_v2.get(_SUBFILE, 0)) & _REDUCED_OR_MASK
    except (EOFError, SyntaxError, OSError, ValueError, KeyError, TypeError, struct.error):
        pass  # the end, or a broken directory after pages that can be read
    finally:
        image.seek(0)
    return max(1, pages)


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Decode a single-band 8-bit image, as masks are stored, to ``uint8 [H, W]``.

    A one-bit image gives 0 and 255.

    Raises:
        ImageError: If it has several bands or a wider type, or its data is truncated.
    """
    with open_image(path) as image:
        if image.mode not in ("L", "1"):
            raise ImageError(str(path), f"mode {image.mode}", "one band of 8 bits")
        try:
            return np.asarray(image.convert("L"), dtype=np.uint8)
        except (OSError, SyntaxError, ValueError) as broken:
            raise ImageError(
                str(path), f"cannot be decoded ({broken})", remedy="fetch the file again"
            ) from broken


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Decode an image to RGB ``uint8 [H, W, 3]``; grey is repeated, alpha dropped.

    Raises:
        ImageError: As `open_image`, or if its data is truncated.
    """
    with open_image(path) as image:
        try:
            return np.array(image.convert("RGB"), dtype=np.uint8)
        except (OSError, ValueError, SyntaxError) as broken:
            raise ImageError(str(path), f"cannot be decoded ({broken})") from broken
