"""Pictures compared without looking at pairs: a 128-bit difference hash, found by its parts.

A difference hash says for each cell of a 9 x 9 thumbnail whether its right and its lower neighbour
are brighter. It survives JPEG, rescaling and a change of brightness, and no crop or rotation.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geomag.data.images import open_image
from geomag.errors import ImageError

BITS = 128
_SIDE = 9
LEAST_CONTRAST = 2.0
"""Grey levels (standard deviation of the thumbnail); below it a hash is noise: open sea, sand."""
MAX_PAIRS = 4_000_000
"""Candidate pairs compared at once: 128 MB."""

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What two files are compared by."""

    sha256: str
    """Digest of the file's bytes."""
    words: tuple[int, int]
    """The hash: 64 bits of rows, 64 of columns."""
    contrast: float
    """Standard deviation of the thumbnail, in grey levels."""

    @property
    def is_plain(self) -> bool:
        """Whether there is too little in the picture for the hash to mean anything."""
        return self.contrast < LEAST_CONTRAST


def fingerprint(path: Path) -> Fingerprint:
    """Read one picture; JPEG is decoded at the smallest scale that suffices.

    Raises:
        ImageError: If it cannot be read.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    with open_image(path) as image:
        try:
            image.draft("L", (_SIDE * 8, _SIDE * 8))
            small = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
        except (OSError, SyntaxError, ValueError) as broken:
            raise ImageError(
                str(path), f"cannot be decoded ({broken})", remedy="fetch the file again"
            ) from broken
    grey = np.asarray(small, dtype=np.int16)
    rows = grey[:-1, 1:] > grey[:-1, :-1]
    columns = grey[1:, :-1] > grey[:-1, :-1]
    words = [int.from_bytes(np.packbits(part).tobytes(), "big") for part in (rows, columns)]
    return Fingerprint(digest, (words[0], words[1]), float(grey.std()))


def near_pairs(
    left: Hashes, right: Hashes, *, most_bits: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64]]:
    """All pairs of hashes that differ in at most ``most_bits`` bits.

    Cut into ``most_bits + 1`` parts, two such hashes share one part whole, so only hashes of one
    bucket are compared: time grows with the pictures and the crowd in a bucket, not with pairs.

    Args:
        left: ``[N, 2]``.
        right: ``[M, 2]``.
        most_bits: 0 to 127.

    Returns:
        Index in ``left``, index in ``right``, and bits that differ, sorted by both indices.
    """
    found = [np.zeros((0, 3), dtype=np.int64)]
    for first, last in _parts(most_bits + 1):
        for i, j in _shared(_bits(left, first, last), _bits(right, first, last)):
            apart = np.bitwise_count(left[i] ^ right[j]).astype(np.int64).sum(axis=1)
            near = apart <= most_bits
            found.append(np.stack([i[near], j[near], apart[near]], axis=1))
    pairs = np.unique(np.concatenate(found), axis=0)
    return pairs[:, 0].astype(np.intp), pairs[:, 1].astype(np.intp), pairs[:, 2]


def _parts(n_parts: int) -> Iterator[tuple[int, int]]:
    edges = np.linspace(0, BITS, n_parts + 1).astype(int).tolist()
    yield from pairwise(edges)


def _bits(hashes: Hashes, first: int, last: int) -> NDArray[np.uint64]:
    """Bits ``[first, last)`` of each hash, as numbers; a part may lie across both words."""
    part = np.zeros(len(hashes), dtype=np.uint64)
    for word in (0, 1):
        low, high = max(first, 64 * word) - 64 * word, min(last, 64 * word + 64) - 64 * word
        if low < high:
            mask = np.uint64((1 << (high - low)) - 1)
            bits = hashes[:, word] >> np.uint64(low) & mask
            part = bits if last - first == high - low else part << np.uint64(high - low) | bits
    return part


def _shared(
    left: NDArray[np.uint64], right: NDArray[np.uint64]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield index pairs of equal values, at most about `MAX_PAIRS` at a time."""
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    begin = np.searchsorted(ordered, left, side="left")
    n_equal = np.searchsorted(ordered, left, side="right") - begin
    batch = np.cumsum(n_equal) // MAX_PAIRS
    for number in np.unique(batch[n_equal > 0]):
        rows = np.flatnonzero((batch == number) & (n_equal > 0))
        lengths = n_equal[rows]
        shift = begin[rows] - (np.cumsum(lengths) - lengths)
        at = np.arange(lengths.sum()) + np.repeat(shift, lengths)
        yield np.repeat(rows, lengths), order[at]
