"""COCO's compressed run lengths, read without trusting them.

pycocotools decodes runs that are too short into whatever lay in memory, and 64-bit sums of huge
runs wrap to any number; so strings are read and summed here before C code sees them.
"""

import numpy as np
from numpy.typing import NDArray

from geomag.errors import shown
from geomag.geometry import Rle

LONGEST_RUN = 1 << 31
"""Pixels; more than an image has here. Below it, 64-bit sums of a file's runs cannot wrap."""
_CONTINUES, _NEGATIVE = 0x20, 0x10


def rle_runs(counts: str) -> NDArray[np.int64]:
    """Run lengths of a compressed RLE string, background first.

    Raises:
        ValueError: If the string is not COCO's code, or a run is longer than any image.

    >>> rle_runs("5220003").tolist()
    [5, 2, 2, 2, 2, 2, 5]

    See protocols/referring#worked-example.
    """
    try:
        codes = np.frombuffer(counts.encode("ascii"), dtype=np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError as foreign:
        raise ValueError("characters outside ASCII") from foreign
    if codes.size == 0:
        return codes
    if codes.min() < 0 or codes.max() > 63:
        raise ValueError("characters outside COCO's alphabet")
    last = (codes & _CONTINUES) == 0
    if not last[-1]:
        raise ValueError("the last run is cut off")
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    if int((ends - starts).max()) > 11:
        raise ValueError("a run is longer than 60 bits")
    place = np.arange(codes.size) - np.repeat(starts, ends - starts + 1)
    values = np.add.reduceat((codes & 0x1F) << (5 * place), starts)
    negative = (codes[ends] & _NEGATIVE) != 0
    values = np.where(negative, values - (np.int64(1) << (5 * (ends - starts + 1))), values)
    if int(np.abs(values).max()) > LONGEST_RUN:
        raise ValueError("a run is longer than any image")
    # from the fourth on, each run is stored as the difference to the one two before it
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def read_rle(value: object, height: int, width: int) -> Rle:
    """The mask of ``height x width`` pixels that a JSON value spells; sizes may be written 448.0.

    Raises:
        ValueError: Saying what stands there instead.
    """
    if not isinstance(value, dict) or not {"size", "counts"} <= set(value):
        raise ValueError("a mask without size and counts")
    size, counts = value["size"], value["counts"]
    if not isinstance(size, list) or size != [height, width]:
        raise ValueError(f"a mask of size {shown(size)}")
    if not isinstance(counts, str):
        raise ValueError("a mask whose counts are not text")
    try:
        runs = rle_runs(counts)
    except ValueError as broken:
        raise ValueError(f"a mask that is not COCO's compressed RLE ({broken})") from broken
    if runs.size and int(runs.min()) < 0:
        raise ValueError("a mask with a negative run")
    if runs.size and int(runs.max()) > height * width:
        raise ValueError("a mask with a run that is longer than the image")
    if int(runs.sum()) != height * width:
        raise ValueError(f"a mask whose runs cover {int(runs.sum())} pixels")
    return {"size": [height, width], "counts": counts}
