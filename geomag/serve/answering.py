"""One picture as bytes and one prompt to an answer with its masks run-length coded.

The work is `geomag.ask`'s: bands, stretch, windows and joined masks are those of ``geomag ask``.
"""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from geomag.ask.answer import Answering, ask_image
from geomag.ask.answer_files import MASK
from geomag.ask.options import AskOptions
from geomag.ask.raster_io import opened
from geomag.ask.scene import MAX_WHOLE_PIXELS
from geomag.errors import GeoMagError, ImageError
from geomag.geometry import BoolMask, encode_mask

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
    options = dataclasses.replace(options, pictures=False)
    with tempfile.TemporaryDirectory(prefix="geomag-") as scratch:
        path, out = Path(scratch) / "image", Path(scratch) / "out"
        path.write_bytes(content)
        try:
            with opened(path) as dataset:
                _refuse_large(dataset.width, dataset.height)
            answer = ask_image(model, path, words, out, options, log=lambda _: None)
        except GeoMagError as wrong:  # the temporary name says nothing to whoever sent the picture
            place = wrong.place.replace(str(path), "image")
            raise dataclasses.replace(wrong, place=place) from wrong
        masks = _masks(out / MASK, answer["masks"]) if "masks" in answer else []
    image = {key: answer["image"][key] for key in ("width", "height", "crs", "transform", "sha256")}
    return {**{key: answer[key] for key in KEPT}, "image": image, "masks": masks}


def _refuse_large(width: int, height: int) -> None:
    if width * height > MAX_WHOLE_PIXELS:
        raise ImageError(
            "image", f"{width} x {height} pixels", f"at most {MAX_WHOLE_PIXELS:,}", "use geomag ask"
        )


def _masks(path: Path, known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with rasterio.open(path) as raster:
        values = raster.read(1)
    return [
        {
            **encode_mask(drawn := values == mask["value"]),
            "phrase": mask["phrase"],
            "score": mask["score"],
            "area_px": mask["area_px"],
            "box": _box(drawn),
        }
        for mask in known
    ]


def _box(mask: BoolMask) -> list[int] | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
