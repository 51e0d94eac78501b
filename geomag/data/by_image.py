"""Records beside others of their image: what is read, seen and encoded once serves them all."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geomag.data.images import read_rgb
from geomag.data.records import Record

AHEAD = 2
"""Batches whose images are read while the one before is computed."""
READERS = 8
"""Most threads that read images; decoders leave the interpreter to others while they work."""


def by_image(records: Sequence[Record]) -> list[Record]:
    """The records image by image, images and their records in order of appearance."""
    first: dict[str, int] = {}
    for record in records:
        first.setdefault(record.image, len(first))
    return sorted(records, key=lambda record: first[record.image])


def image_parts(records: Sequence[Record], size: int) -> list[list[Record]]:
    """The records image by image in parts of ``size`` or a little more: no image is in two."""
    parts: list[list[Record]] = []
    for record in by_image(records):
        if not parts or (len(parts[-1]) >= size and parts[-1][-1].image != record.image):
            parts.append([])
        parts[-1].append(record)
    return parts


def read_each_once(root: Path, records: Sequence[Record]) -> list[NDArray[np.uint8]]:
    """The image ``[H, W, 3]`` of every record; records that share one share the array."""
    images = {name: read_rgb(root / name) for name in {record.image: None for record in records}}
    return [images[record.image] for record in records]


def images_ahead(
    root: Path, batches: Sequence[Sequence[Record]], *, ahead: int = AHEAD
) -> Iterator[list[NDArray[np.uint8]]]:
    """The images of each batch in turn, read by threads while the batches before are computed.

    An image is held from when it is read until no batch within reach has it, so at most those of
    ``ahead + 1`` batches are held, and batches in a row that share one share the array.

    Args:
        root: Folder that the records' paths are relative to.
        batches: Records of each batch.
        ahead: Batches to read beyond the one that is given.

    Raises:
        ImageError: When the batch of an image that cannot be read is asked for.
    """
    held: dict[str, Future[NDArray[np.uint8]]] = {}
    threads = max(1, min(READERS, (os.cpu_count() or 1) - 1))
    with ThreadPoolExecutor(threads, thread_name_prefix="images") as readers:
        try:
            for start, batch in enumerate(batches):
                near = [r.image for part in batches[start : start + ahead + 1] for r in part]
                held = {
                    name: held.get(name) or readers.submit(read_rgb, root / name)
                    for name in dict.fromkeys(near)
                }
                yield [held[record.image].result() for record in batch]
        finally:
            for waiting in held.values():
                waiting.cancel()
