"""Records beside others of their image: what is read, seen and encoded once serves them all."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geomag.data.images import read_rgb
from geomag.data.records import Record


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
