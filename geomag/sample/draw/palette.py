"""The eight colours that language names, and which of them vanish on which ground."""

import numpy as np

Rgb = tuple[int, int, int]

COLOURS: dict[str, Rgb] = {
    "red": (205, 45, 40),
    "blue": (45, 75, 205),
    "yellow": (240, 210, 50),
    "white": (240, 240, 238),
    "green": (45, 165, 60),
    "orange": (240, 130, 30),
    "black": (28, 28, 32),
    "grey": (150, 150, 155),
}

HIDDEN_ON: dict[str, tuple[str, ...]] = {
    "grass": ("green",),
    "forest": ("green", "black"),
    "water": ("blue", "black"),
    "asphalt": ("black", "grey"),
    "sand": ("yellow", "white", "grey"),
    "bare land": ("orange", "grey"),
    "concrete": ("grey", "white"),
}
"""Colours too close to a ground to be told apart at a quarter of the resolution."""


def shade(rng: np.random.Generator, colour: str) -> Rgb:
    """One RGB value near a named colour: up to 14 levels lighter or darker, 4 off in hue."""
    shift = rng.integers(-14, 15) + rng.integers(-4, 5, 3)
    red, green, blue = COLOURS[colour]
    return (_byte(red + shift[0]), _byte(green + shift[1]), _byte(blue + shift[2]))


def lighter(rgb: Rgb, amount: int) -> Rgb:
    """The colour with ``amount`` added to each channel (negative darkens)."""
    return (_byte(rgb[0] + amount), _byte(rgb[1] + amount), _byte(rgb[2] + amount))


def _byte(value: int) -> int:
    return int(min(max(value, 0), 255))
