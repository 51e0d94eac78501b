"""MagCrop as pictures: where the model looks (Eq 4), C_1 and C_2, what it is shown (Eq 2)."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from geomag.data.benchmarks import Granularity
from geomag.geometry import PixelBox
from geomag.inference.inspect import heat_share, probe_heat, target_token
from geomag.inference.pipeline import Pipeline, Question
from geomag.inference.prompt import read_prompt
from geomag.io import atomic_path, write_json
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.quality import hottest_cell

FILES = ("heatmap.png", "boxes.png", "adjusted.png", "probe.json")
_COLOURS = ((255, 210, 0), (0, 190, 255))
"""Of C_1 and C_2."""
_RAMP = np.array(
    [(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], dtype=np.float64
)
"""Five stops of the map `inferno`, dark to bright."""
_NO_CROP = "MagCrop does not crop for this prompt."
_OPACITY = 0.75
"""Of the hottest cell; a cell without heat shows the image as it is."""


def magcrop_pictures(pipeline: Pipeline, image: RgbImage, words: str, out: Path) -> dict[str, Any]:
    """Draw what MagCrop does with one image for one prompt; returns what ``probe.json`` holds.

    Args:
        pipeline: The loaded model.
        image: ``uint8 [H, W, 3]``.
        words: The prompt as a person gave it.
        out: Gets `FILES`.

    A prompt at image level, or one that MagCrop leaves alone, is probed for the picture only.
    """
    prompt = pipeline.fit(read_prompt(words))
    (prepared,) = pipeline.prepare([Question(image, prompt)])
    heat = prepared.heat or probe_heat(pipeline, image, prompt, Granularity.REGION)
    decision, look = prepared.decision, prepared.query.look
    assert decision is not None  # the plain arm alone has none
    height, width = image.shape[:2]
    _save(out / FILES[0], overlay(image, heat.first))
    _save(out / FILES[1], with_boxes(image, prepared.boxes))
    _save(out / FILES[2], look.image)
    level = decision.granularity
    facts = {
        **pipeline.identity(),
        "prompt": {
            "given": words,
            "asked": prompt.text,
            "task": prompt.task and prompt.task.value,
            "task_confidence": round(prompt.task_confidence, 4),
            "probe": prompt.probe(pipeline.profile.prompt.probe),
        },
        "granularity": "none" if level is None else level.value,
        "granularity_confidence": round(decision.confidence, 4),
        "bypassed": decision.bypassed,
        "target_token": target_token(pipeline, image, prompt),
        "crop_boxes": [list(box.as_ints()) for box in prepared.boxes],
        "heat_share": round(heat_share(pipeline, heat, image), 4),
        "hottest_cell": [round(v, 1) for v in hottest_cell(heat.first, width=width, height=height)],
        "visual_tokens": look.n_tokens(pipeline.profile.vlm.patch_px),
        "views": [
            {
                "box": v.box and list(v.box.as_ints()),
                "side_px": v.side_px,
                "tokens": v.n_tokens(pipeline.profile.vlm.patch_px),
            }
            for v in look.views
        ],
        "notes": [
            *prompt.notes,
            *(() if prepared.heat or prepared.boxes else [_NO_CROP]),
        ],
    }
    write_json(out / FILES[3], facts)
    return facts


def overlay(image: RgbImage, heatmap: NDArray[np.floating]) -> RgbImage:
    """The image under its heatmap ``[gh, gw]``, each cell flat, the hottest one brightest."""
    height, width = image.shape[:2]
    rows = np.arange(height) * heatmap.shape[0] // height
    columns = np.arange(width) * heatmap.shape[1] // width
    share = heatmap / (float(heatmap.max()) or 1.0)
    cells = share[rows][:, columns]
    stops = np.linspace(0, 1, len(_RAMP))
    colour = np.stack([np.interp(cells, stops, channel) for channel in _RAMP.T], axis=-1)
    opacity = (_OPACITY * cells)[..., None]
    mixed: RgbImage = (colour * opacity + image * (1 - opacity)).round().astype(np.uint8)
    return mixed


def with_boxes(image: RgbImage, boxes: tuple[PixelBox, ...]) -> RgbImage:
    """The image with C_1 in yellow and C_2 in blue."""
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    line = max(1, min(image.shape[:2]) // 200)
    for box, colour in zip(boxes, _COLOURS, strict=False):
        x0, y0, x1, y1 = box.as_ints()
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=colour, width=line)
    return np.asarray(picture)


def _save(path: Path, image: RgbImage) -> None:
    with atomic_path(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")
