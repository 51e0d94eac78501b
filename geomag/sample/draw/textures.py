"""Grounds: noise textures made once per process from fixed seeds, cut at random offsets."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from geomag.seeds import generator

Image = NDArray[np.uint8]

_SIDE = 1024

GROUNDS: dict[str, tuple[tuple[int, int, int], tuple[tuple[int, int], ...]]] = {
    "grass": ((92, 128, 72), ((8, 14), (48, 12), (400, 10))),
    "meadow": ((128, 158, 84), ((6, 10), (30, 8), (300, 6))),
    "forest": ((42, 82, 44), ((10, 10), (110, 34), (256, 14))),
    "bare land": ((158, 126, 92), ((6, 16), (40, 14), (400, 12))),
    "sand": ((218, 198, 152), ((4, 10), (24, 8), (400, 6))),
    "dune": ((206, 172, 118), ((5, 18), (14, 20), (300, 6))),
    "water": ((44, 84, 122), ((6, 10), (64, 6), (256, 6))),
    "sea": ((30, 70, 112), ((4, 8), (40, 8), (200, 8))),
    "asphalt": ((98, 98, 102), ((6, 8), (64, 6), (500, 10))),
    "concrete": ((168, 166, 160), ((6, 8), (64, 8), (500, 8))),
    "rock": ((126, 114, 102), ((10, 30), (36, 30), (160, 16))),
    "snow": ((232, 236, 242), ((8, 8), (32, 8), (200, 4))),
    "scrub": ((164, 148, 112), ((8, 12), (60, 8), (200, 6))),
    "marsh": ((104, 116, 76), ((14, 26), (40, 18), (200, 8))),
}
"""Mean RGB and octaves (grid cells across 1024 px, amplitude in grey levels) of each ground."""


@cache
def _texture(kind: str) -> Image:
    """``[1024, 1024, 3]`` texture of one ground; the same bytes in every process."""
    rng = generator("ground texture", kind)
    colour, octaves = GROUNDS[kind]
    total = np.zeros((_SIDE, _SIDE), np.int16)
    for cells, amplitude in octaves:
        grid = rng.integers(0, 2 * amplitude + 1, (cells, cells), dtype=np.uint8)
        wave = cv2.resize(grid, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
        total += wave.astype(np.int16) - amplitude
    field = total[:, :, None] + np.array(colour, np.int16)
    return np.clip(field, 0, 255).astype(np.uint8)


@cache
def _grain() -> tuple[Image, Image]:
    """Sensor noise split into what is added and what is subtracted, ``[1024, 1024, 3]`` each."""
    rng = generator("sensor grain")
    levels = rng.integers(-7, 8, (_SIDE, _SIDE, 3), dtype=np.int8)
    return np.maximum(levels, 0).astype(np.uint8), np.maximum(-levels, 0).astype(np.uint8)


def _cut(field: Image, rng: np.random.Generator, height: int, width: int) -> Image:
    rows, cols = -(-height // _SIDE) + 1, -(-width // _SIDE) + 1
    top, left = (int(v) for v in rng.integers(0, _SIDE, 2))
    if top + height > _SIDE or left + width > _SIDE:
        if rows > 2 or cols > 2:
            field = np.tile(field, (rows, cols, 1))
        else:
            top, left = top * (_SIDE - height) // _SIDE, left * (_SIDE - width) // _SIDE
    return field[top : top + height, left : left + width]


def ground(rng: np.random.Generator, kind: str, *, width: int, height: int) -> Image:
    """A writable ``[height, width, 3]`` piece of one ground, lighter or darker at random."""
    gain = float(rng.uniform(0.88, 1.1))
    piece = _cut(_texture(kind), rng, height, width)
    return np.asarray(cv2.convertScaleAbs(piece, alpha=gain), np.uint8)


def add_grain(rng: np.random.Generator, image: Image) -> Image:
    """The image with sensor noise of at most 7 levels."""
    plus, minus = _grain()
    height, width = image.shape[:2]
    brighter = cv2.add(image, _cut(plus, rng, height, width))
    return np.asarray(cv2.subtract(brighter, _cut(minus, rng, height, width)), np.uint8)
