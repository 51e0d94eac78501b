"""``overlay.png`` and ``heatmap.png``: an answer to look at, beside the files to work with."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rasterio.enums import Resampling
from shapely.affinity import affine_transform

from geomag.ask.drawing import Colour, LegendRow, save_png, shown_size, with_heat, with_legend
from geomag.ask.mask_file import NODATA, Painting
from geomag.ask.mask_table import colour
from geomag.ask.notes import counted
from geomag.ask.objects import MapObject
from geomag.ask.scene import Scene
from geomag.ask.tile_job import Tile
from geomag.magcrop.compose import RgbImage

OVERLAY, HEATMAP = "overlay.png", "heatmap.png"
WINDOWS: tuple[Colour, Colour] = ((255, 210, 0), (0, 190, 255))
"""Colours of C_1 and C_2."""
ATTENTION = "where the model looked, from nowhere to most (Eq 4)"
PROBABILITY = (
    "probability that a pixel belongs to a mask, from 0 to the highest; Eq 4 was not asked"
)
NOTHING = "Nothing was looked for: MagCrop probes no place for this prompt, and no mask was drawn."
_MOST_OUTLINES = 5_000
_OPACITY = 0.45


def write_overlay(
    path: Path,
    scene: Scene,
    painting: Painting | None,
    objects: Sequence[MapObject],
    answer: dict[str, Any],
) -> None:
    """The scene with its masks in the colours of ``mask.tif``; a legend says what each one is.

    Args:
        path: PNG to write.
        scene: Read reduced.
        painting: The masks; None where none was drawn.
        objects: Get outlines, so that small ones are seen in a large scene.
        answer: Content of ``answer.json``, for the legend.
    """
    size = shown_size(scene.grid.width, scene.grid.height)
    shown = _base(scene, size)
    if painting is not None:
        values = painting.mask.read(1, out_shape=size[::-1], resampling=Resampling.nearest)
        shown = _filled(shown, values)
        shown = _outlined(shown, objects, scene)
    rows = [
        LegendRow(
            f"{mask['phrase']}: {counted(mask['objects'], 'object')}, {mask['area_px']:,} pixels, "
            f"score {mask['score']:.2f}",
            colour(mask["value"]),
        )
        for mask in answer.get("masks", ())
    ]
    rows = rows or [LegendRow("No mask was drawn.")]
    save_png(path, with_legend(shown, [*_titles(answer), *rows]))


def write_heatmap(
    path: Path,
    scene: Scene,
    tiles: Iterable[Tile],
    painting: Painting | None,
    answer: dict[str, Any],
) -> None:
    """The scene under the map of where the model looked, smooth, with the windows it chose.

    Where Eq 4 was not asked the masks' probability stands in for it, and the legend says so.
    """
    size = shown_size(scene.grid.width, scene.grid.height)
    heat = attention(scene, tiles, size)
    meaning = ATTENTION
    if heat is None and painting is not None:
        meaning = PROBABILITY
        heat = painting.probability.read(
            1, out_shape=size[::-1], resampling=Resampling.average
        ).astype(np.float32)
    shown = _base(scene, size)
    rows = [LegendRow(NOTHING)]
    if heat is not None:
        shown, rows = with_heat(shown, heat), [LegendRow(meaning, is_ramp=True)]
    boxes = [look["crop_boxes"] for look in answer["looks"]]
    scale = size[0] / scene.grid.width
    for nth, name in enumerate(("C_1, the window", "C_2, the window inside it")):
        chosen = [one[nth] for one in boxes if len(one) > nth]
        if chosen:
            shown = with_rectangles(shown, chosen, WINDOWS[nth], scale=scale)
            rows.append(LegendRow(name, WINDOWS[nth]))
    save_png(path, with_legend(shown, [*_titles(answer), *rows]))


def attention(
    scene: Scene, tiles: Iterable[Tile], size: tuple[int, int]
) -> NDArray[np.float32] | None:
    """Eq 4's maps of all windows on one canvas ``[height, width]``; None where no map was made."""
    width, height = size
    canvas = np.zeros((height, width), dtype=np.float32)
    is_known = False
    for tile in tiles:
        if tile.output is None or tile.output.heat is None:
            continue
        is_known = True
        left, top, right, bottom = tile.box.as_ints()
        x0, x1 = (round(x * width / scene.grid.width) for x in (left, right))
        y0, y1 = (round(y * height / scene.grid.height) for y in (top, bottom))
        grid = Image.fromarray(tile.output.heat.astype(np.float32), mode="F")
        part = np.asarray(grid.resize((x1 - x0, y1 - y0), Image.Resampling.BICUBIC)).clip(min=0)
        canvas[y0:y1, x0:x1] = np.maximum(canvas[y0:y1, x0:x1], part)
    return canvas if is_known else None


def with_rectangles(
    image: RgbImage,
    boxes: Sequence[Sequence[float]],
    ink: Colour,
    *,
    scale: float = 1.0,
    line_px: int = 2,
) -> RgbImage:
    """The image with boxes ``[x0, y0, x1, y1)`` of the scene's pixels."""
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    for box in boxes:
        x0, y0, x1, y1 = (round(value * scale) for value in box)
        draw.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=ink, width=line_px)
    return np.asarray(picture)


def _base(scene: Scene, size: tuple[int, int]) -> RgbImage:
    """The scene at the size it is shown at."""
    small = min(size[0], scene.grid.width), min(size[1], scene.grid.height)
    pixels = scene.overview(*small)
    if small == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def _filled(image: RgbImage, values: NDArray[np.uint8]) -> RgbImage:
    """The picture with each mask in its colour, half clear."""
    shown = image.astype(np.float64)
    for value in np.unique(values[(values != 0) & (values != NODATA)]).tolist():
        inside = values == value
        shown[inside] = (1 - _OPACITY) * shown[inside] + _OPACITY * np.array(colour(value))
    return shown.round().astype(np.uint8)


def _outlined(image: RgbImage, objects: Sequence[MapObject], scene: Scene) -> RgbImage:
    """The picture with each object's edge in its mask's colour."""
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    scale, back = image.shape[1] / scene.grid.width, ~scene.grid.transform
    a, b, c, d, e, f = list(back)[:6]
    for one in objects[:_MOST_OUTLINES]:
        shown = affine_transform(one.polygon, [scale * v for v in (a, b, d, e, c, f)])
        for ring in (shown.exterior, *shown.interiors):
            draw.line(list(ring.coords), fill=colour(one.mask), width=2)
    return np.asarray(picture)


def _titles(answer: dict[str, Any]) -> list[LegendRow]:
    asked, said = answer["prompt"]["given"], answer["text"]
    return [LegendRow(f"Asked: {asked}"), LegendRow(f"Answered: {said or '(no words)'}")]
