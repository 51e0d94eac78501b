"""Pictures for people: an image at a size to look at, colours over it, a legend below."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from geomag.io import atomic_path
from geomag.magcrop.compose import RgbImage

Colour = tuple[int, int, int]
LEAST_PX, MOST_PX = 480, 1600
"""Longer side of a picture: smaller images are magnified, larger ones reduced."""
_RAMP = np.array(
    [(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], dtype=np.float64
)
"""Five stops of the map `inferno`, dark to bright."""
_OPACITY = 0.75
"""Opacity of the hottest place; where there is no heat the image shows as it is."""
_PAPER, _INK = (255, 255, 255), (20, 20, 24)
_FONT_PX, _LINE_PX, _MARGIN_PX, _SWATCH_PX, _RAMP_PX = 15, 22, 10, 14, 160


@dataclass(frozen=True, slots=True)
class LegendRow:
    """One line below a picture."""

    text: str
    colour: Colour | None = None
    """Colour of the square before the text, or none."""
    is_ramp: bool = False
    """Whether the colours of heat stand before the text."""

    indented: int = 0
    """Pixels before a line that goes on."""

    @property
    def indent(self) -> int:
        """Pixels before the text."""
        if self.is_ramp:
            return _RAMP_PX + _MARGIN_PX
        return _SWATCH_PX + _MARGIN_PX if self.colour else self.indented


def shown_size(width: int, height: int) -> tuple[int, int]:
    """Width and height that an image is shown at, its proportions kept.

    >>> shown_size(120, 60), shown_size(20_000, 10_000), shown_size(800, 600)
    ((480, 240), (1600, 800), (800, 600))
    """
    longer = max(width, height)
    scale = min(max(longer, LEAST_PX), MOST_PX) / longer
    return max(1, round(width * scale)), max(1, round(height * scale))


def resized(image: RgbImage) -> RgbImage:
    """An image at the size that it is shown at."""
    size = shown_size(image.shape[1], image.shape[0])
    kind = Image.Resampling.BICUBIC if size[0] > image.shape[1] else Image.Resampling.BOX
    return np.asarray(Image.fromarray(image).resize(size, kind))


def with_heat(image: RgbImage, heat: NDArray[Any]) -> RgbImage:
    """The image under a map of any size, drawn smoothly, its hottest place brightest."""
    height, width = image.shape[:2]
    grid = Image.fromarray(np.asarray(heat, dtype=np.float32), mode="F")
    smooth = np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC)).clip(min=0)
    share = smooth / (float(smooth.max()) or 1.0)
    stops = np.linspace(0, 1, len(_RAMP))
    colour = np.stack([np.interp(share, stops, channel) for channel in _RAMP.T], axis=-1)
    opacity = (_OPACITY * share**0.5)[..., None]
    mixed: RgbImage = (colour * opacity + image * (1 - opacity)).round().astype(np.uint8)
    return mixed


def with_legend(image: RgbImage, rows: Sequence[LegendRow]) -> RgbImage:
    """The image over white paper with one row a line, wrapped to its width."""
    font = ImageFont.load_default(_FONT_PX)
    height, width = image.shape[:2]
    lines: list[tuple[LegendRow, str]] = []
    for row in rows:
        for nth, line in enumerate(_wrapped(row.text, width - 2 * _MARGIN_PX - row.indent, font)):
            lines.append((row if nth == 0 else LegendRow("", indented=row.indent), line))
    paper = Image.new("RGB", (width, height + len(lines) * _LINE_PX + 2 * _MARGIN_PX), _PAPER)
    paper.paste(Image.fromarray(image), (0, 0))
    draw = ImageDraw.Draw(paper)
    for number, (row, text) in enumerate(lines):
        y = height + _MARGIN_PX + number * _LINE_PX
        if row.colour:
            draw.rectangle(
                (_MARGIN_PX, y + 3, _MARGIN_PX + _SWATCH_PX, y + 3 + _SWATCH_PX), fill=row.colour
            )
        if row.is_ramp:
            shares = np.linspace(0, 1, _RAMP_PX)
            stops = np.linspace(0, 1, len(_RAMP))
            bar = np.stack([np.interp(shares, stops, channel) for channel in _RAMP.T], axis=-1)
            tall = np.repeat(bar[None], _SWATCH_PX, axis=0).round().astype(np.uint8)
            paper.paste(Image.fromarray(tall), (_MARGIN_PX, y + 3))
        draw.text((_MARGIN_PX + row.indent, y + 2), text, fill=_INK, font=font)
    return np.asarray(paper)


def _wrapped(text: str, room: float, font: Any) -> list[str]:
    """Lines that fit into a number of pixels; a word that does not is cut."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= room:
            lines[-1] = longer
            continue
        cut = word
        while len(cut) > 1 and font.getlength(cut) > room:
            cut = cut[:-1]
        lines.append(cut)
    return [line for line in lines if line] or [""]


def save_png(path: Path, image: RgbImage) -> None:
    """Write a picture, atomically."""
    with atomic_path(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")
