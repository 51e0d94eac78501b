"""METEOR's paraphrase table cut down to what some texts can use: a start in 1 s instead of 10 s.

The table has 5.3 million pairs and METEOR reads all of them before its first sentence. A pair
takes part in a match only if every word of both phrases occurs in the texts, so the others may
go; the tool ships with a filter of its own for that (``FilterParaphrase``), in Java.
"""

import gzip
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 1 << 24
"""Bytes of the unpacked table that are read at a time: 16 MB of its 270."""
_LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789"
_ONLY_LETTERS = bytes(c if c in _LETTERS else 0 for c in range(256))
_FRAGMENT = re.compile(rb"[a-z0-9]+")
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_PAD = 8
_MIX, _HASH_BITS = np.uint64(0x9E3779B97F4A7C15), 16

Words = NDArray[np.uint64]


def fragments(texts: Iterable[str]) -> set[bytes]:
    """Runs of ASCII letters and digits in lower-cased texts.

    METEOR's own tokeniser cuts and joins at other characters only, so each of its words is made
    of such runs and of characters that are looked at by nobody here.

    >>> sorted(fragments(["Storage-tanks, 5.5 km"]))
    [b'5', b'km', b'storage', b'tanks']
    """
    found: set[bytes] = set()
    for text in texts:
        found.update(_FRAGMENT.findall(text.lower().encode("utf-8", "replace")))
        if not text.isascii():  # it may cut at a letter whose lower case is ASCII (Kelvin sign)
            apart = re.sub(r"([^\x00-\x7f])", r" \1 ", text)
            found.update(_FRAGMENT.findall(apart.lower().encode("utf-8", "replace")))
    return found


def filter_table(table: Path, out: Path, texts: Iterable[str]) -> int:
    """Write to ``out`` the pairs of ``table`` that may match in ``texts``; returns their number.

    A pair stays if the first and the last run of letters of both its phrases occur there: a few
    more than can match stay, none that can is lost.

    Args:
        table: ``paraphrase-en.gz``: three lines a pair (probability, phrase, phrase).
        out: Another ``.gz``; order is kept.
        texts: All references and hypotheses.
    """
    known = fragments(texts)
    begin, finish = _hashes(known), _hashes({f[::-1] for f in known})
    n_kept = 0
    with gzip.open(out, "wb", compresslevel=0) as kept:
        for block, ends in _blocks(table):
            chosen = np.arange(len(ends))
            eight = _windows(block)
            for phrase in (1, 2):
                first = eight[ends[chosen, phrase - 1] + 1 + _PAD]
                chosen = chosen[begin[_hash(_first_run(first))]]
                last = eight[ends[chosen, phrase] - 8 + _PAD].byteswap()
                chosen = chosen[finish[_hash(_first_run(last))]]
            is_kept = np.zeros(len(ends), dtype=bool)
            is_kept[chosen] = True
            sizes = np.diff(ends[:, 2], prepend=-1)
            kept.write(np.frombuffer(block, dtype=np.uint8)[np.repeat(is_kept, sizes)].tobytes())
            n_kept += len(chosen)
    return n_kept


def _windows(block: bytes) -> Words:
    """The eight bytes from each position on, other characters as 0; position 0 is at ``_PAD``."""
    padded = bytes(_PAD) + block.translate(_ONLY_LETTERS) + bytes(_PAD)
    return np.ndarray((len(padded) - 7,), "<u8", padded, strides=(1,))


def _blocks(table: Path) -> Iterator[tuple[bytes, NDArray[np.int64]]]:
    """Yield whole pairs with the ``[n, 3]`` positions of their line ends."""
    rest = b""
    with gzip.open(table, "rb") as packed:
        while more := packed.read(BLOCK_BYTES):
            data = rest + more
            ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))
            lines = ends[: len(ends) // 3 * 3].reshape(-1, 3)
            cut = int(lines[-1, 2]) + 1 if len(lines) else 0
            rest = data[cut:]
            if len(lines):
                yield data[:cut], lines
    if rest.strip():  # a table whose last line has no end
        yield from _last(rest)


def _last(rest: bytes) -> Iterator[tuple[bytes, NDArray[np.int64]]]:
    data = rest.rstrip(b"\n") + b"\n"
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))
    if len(ends) == 3:
        yield data, ends.reshape(1, 3)


def _first_run(eight: Words) -> Words:
    """Eight bytes a word, little-endian, those from the first 0 byte on set to 0."""
    zero = (eight - _ONES) & ~eight & _HIGHS
    lowest = zero & (~zero + np.uint64(1))
    return eight & ((lowest >> np.uint64(7)) - np.uint64(1))


def _hash(words: Words) -> NDArray[np.intp]:
    return (words * _MIX >> np.uint64(64 - _HASH_BITS)).astype(np.intp)


def _hashes(known: set[bytes]) -> NDArray[np.bool_]:
    """Which hash values a first run of eight bytes may have; "" stands for other characters."""
    heads = {int.from_bytes(f[:8].ljust(8, b"\0"), "little") for f in {b"", *known}}
    seen = np.zeros(1 << _HASH_BITS, dtype=bool)
    seen[_hash(np.array(sorted(heads), dtype=np.uint64))] = True
    return seen
