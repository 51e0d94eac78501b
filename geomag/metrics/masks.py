"""Masks as the metrics need them: intersected on runs, shrunk by nearest neighbour."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geomag.geometry import BoolMask, Rle
from geomag.rle import rle_runs


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
