"""One picture as bytes and one prompt to an answer with its masks run-length coded, all in memory.

The work is `geomag.ask`'s: bands, stretch, windows and joined masks are those of ``geomag ask``.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from geomag.ask.answer import Answering, identity_of, said
from geomag.ask.answer_files import objects_of
from geomag.ask.mask_file import Layers, painted
from geomag.ask.notes import notes_of
from geomag.ask.options import AskOptions
from geomag.ask.raster_io import opened_bytes
from geomag.ask.scene import MAX_WHOLE_PIXELS, Scene, scene_of
from geomag.ask.tile_job import TiledAnswers, TileMemory, ask_tiles
from geomag.ask.tiling import scene_windows
from geomag.errors import ImageError
from geomag.geometry import box_of_mask, encode_mask
from geomag.inference.prompt import read_prompt

KEPT = (
    "text", "status", "granularity", "looks", "visual_tokens", "seconds", "notes", "prompt", "arm",
    "model", "profile",
)  # fmt: skip
"""What an answer keeps of ``answer.json``."""


def answer_picture(
    model: Answering, content: bytes, words: str, options: AskOptions
) -> dict[str, Any]:
    """Ask one prompt about one picture.

    Args:
        model: Loaded once.
        content: A JPEG, PNG or GeoTIFF file.
        words: The prompt as a person gave it.
        options: Bands, arm, windows.

    Returns:
        `KEPT` of `geomag.ask.answer.ask_image`, the size, CRS and transform of the picture, and
        ``masks``: size, counts (COCO run lengths), phrase, score, area in pixels and box
        ``[x0, y0, x1, y1)`` in pixels, None where nothing was drawn.

    Raises:
        GeoMagError: If the picture, the prompt or an option is wrong, or the picture too large.
    """
    options.check()
    asked = read_prompt(words)
    with opened_bytes(content, "image") as dataset:
        _refuse_large(dataset.width, dataset.height)
        scene = scene_of(dataset, Path("image"), options.bands)
        prompt = model.fit(asked)
        windows = {"tile_px": options.tile_px, "overlap_px": options.overlap_px}
        boxes = scene_windows(scene.grid.width, scene.grid.height, **windows)
        tiles = ask_tiles(
            scene,
            boxes,
            lambda pixels: model.ask(pixels, prompt, arm=options.arm),
            TileMemory(),
            log=lambda _: None,
        )
        image = {**scene.facts(), "sha256": sha256(content).hexdigest()}
        answer = identity_of(model, image, words, prompt, options) | said(tiles, prompt)
        masks = _masks(scene, tiles, options, answer)
        answer["notes"] += notes_of(answer, scene.grid, is_usual_format=False)
    kept = {key: image[key] for key in ("width", "height", "crs", "transform", "sha256")}
    return {**{key: answer[key] for key in KEPT}, "image": kept, "masks": masks}


def _refuse_large(width: int, height: int) -> None:
    if width * height > MAX_WHOLE_PIXELS:
        raise ImageError(
            "image", f"{width} x {height} pixels", f"at most {MAX_WHOLE_PIXELS:,}", "use geomag ask"
        )


def _masks(
    scene: Scene, tiles: TiledAnswers, options: AskOptions, answer: dict[str, Any]
) -> list[dict[str, Any]]:
    """Joined masks, run-length coded; ``answer`` is told of them as ``answer.json`` would be."""
    layers = Layers(tiles)
    if not layers:
        return []
    with painted(scene, tiles, layers, None) as painting:
        _, drawn = objects_of(painting, layers, scene.grid, options)
        values = painting.mask.read(1)
    answer |= drawn
    rows = []
    for one in drawn["masks"]:
        mask = np.asarray(values == one["value"])
        box = box_of_mask(mask)
        row = {key: one[key] for key in ("phrase", "score", "area_px")}
        rows.append({**encode_mask(mask), **row, "box": box and list(box.as_ints())})
    return rows
