"""Masks as the metrics need them: checked, intersected on runs, shrunk by nearest neighbour.

COCO's compressed string is read here only to check it: its own decoder trusts the run lengths.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geomag.geometry import BoolMask, Rle

_CONTINUES, _NEGATIVE = 0x20, 0x10


def rle_runs(counts: str) -> NDArray[np.int64]:
    """Run lengths of a compressed RLE string, background first (pixel protocol 4.5).

    Raises:
        ValueError: If the string is not COCO's code.

    >>> rle_runs("5220003").tolist()
    [5, 2, 2, 2, 2, 2, 5]
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
        raise ValueError("a run longer than 60 bits")
    place = np.arange(codes.size) - np.repeat(starts, ends - starts + 1)
    values = np.add.reduceat((codes & 0x1F) << (5 * place), starts)
    negative = (codes[ends] & _NEGATIVE) != 0
    values = np.where(negative, values - (np.int64(1) << (5 * (ends - starts + 1))), values)
    # from the fourth on, each run is stored as the difference to the one two before it
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def check_rle(rle: object, height: int, width: int) -> str:
    """What is wrong with an RLE that should cover ``height x width`` pixels; "" when nothing is."""
    if not isinstance(rle, dict) or not {"size", "counts"} <= set(rle):
        return "a mask without size and counts"
    if list(rle["size"]) != [height, width]:
        return f"a mask of size {list(rle['size'])}"
    if not isinstance(rle["counts"], str):
        return "a mask whose counts are not text"
    try:
        runs = rle_runs(rle["counts"])
    except ValueError as broken:
        return f"a mask that is not COCO's compressed RLE ({broken})"
    if runs.size and int(runs.min()) < 0:
        return "a mask with a negative run"
    if int(runs.sum()) != height * width:
        return f"a mask whose runs cover {int(runs.sum())} pixels"
    return ""


def iou_matrix(predictions: Sequence[Rle], truths: Sequence[Rle]) -> NDArray[np.float64]:
    """IoU ``[P, G]`` of every prediction with every truth; two empty masks give 0."""
    from pycocotools import mask as coco

    if not predictions or not truths:
        return np.zeros((len(predictions), len(truths)))
    coded = [
        [{**m, "counts": m["counts"].encode("ascii")} for m in side]
        for side in (predictions, truths)
    ]
    return np.asarray(coco.iou(coded[0], coded[1], [0] * len(truths)), dtype=np.float64)


@lru_cache(maxsize=64)
def nearest_indices(source: int, target: int) -> NDArray[np.intp]:
    """Source index of each of ``target`` samples, as Pillow's NEAREST takes them.

    Asked of Pillow itself: it adds up its step in floating point, so where a sample falls on a
    pixel border (512 to 480 has such) no formula agrees with it.

    >>> nearest_indices(5, 3).tolist()
    [0, 2, 4]
    """
    ruler = Image.fromarray(np.arange(source, dtype=np.int32)[None])
    sampled = np.asarray(ruler.resize((target, 1), Image.Resampling.NEAREST), dtype=np.intp)
    return sampled.reshape(target)


def resized(rle: Rle, height: int, width: int) -> BoolMask:
    """The mask at another size by nearest neighbour, ``bool [height, width]``.

    Only the columns between the first and the last foreground pixel are unpacked: a target of
    remote sensing is small, and RLE runs down the columns.
    """
    n_rows, n_columns = rle["size"]
    ends = np.cumsum(rle_runs(rle["counts"]))
    small = np.zeros((width, height), dtype=bool)
    if len(ends) < 2 or not n_rows * n_columns:
        return small.T
    first, last = int(ends[0]) // n_rows, (int(ends[len(ends) // 2 * 2 - 1]) - 1) // n_rows
    edges = np.clip(np.concatenate(([0], ends)), first * n_rows, (last + 1) * n_rows)
    is_inside = np.arange(len(ends)) % 2 == 1
    block = np.repeat(is_inside, np.diff(edges)).reshape(-1, n_rows)
    columns = nearest_indices(n_columns, width)
    chosen = (columns >= first) & (columns <= last)
    small[chosen] = block[columns[chosen] - first][:, nearest_indices(n_rows, height)]
    return small.T
