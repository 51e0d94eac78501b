"""MagCrop as pictures: what the window was chosen by, the window, and what the model reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from geomag.ask.answer_pictures import ATTENTION, PROBABILITY, WINDOWS, with_rectangles
from geomag.ask.drawing import LegendRow, resized, save_png, with_heat, with_legend
from geomag.data.benchmarks import Granularity
from geomag.geometry import PixelBox
from geomag.inference.inspect import heat_share, probe_heat, target_token, why_whole
from geomag.inference.pipeline import Pipeline
from geomag.inference.prompt import read_prompt
from geomag.inference.question import PreparedQuestion, Question
from geomag.io import write_json
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.crops import Heat
from geomag.magcrop.quality import hottest_cell
from geomag.model.model_input import ModelInput
from geomag.model.vision import cut

FILES = ("heatmap.png", "boxes.png", "adjusted.png", "views.png", "probe.json")
_UNUSED = " For this picture only: MagCrop does not use it here."
_VIEW_PX, _GAP_PX = 336, 8
"""Pixels of the side that a view is shown at, and of the paper between two."""


@dataclass(frozen=True, slots=True)
class _Map:
    """What the window was chosen by, or would have been."""

    values: NDArray[Any]
    meaning: str
    heat: Heat | None
    """Map of Eq 4, where it was asked."""


def magcrop_pictures(pipeline: Pipeline, image: RgbImage, words: str, out: Path) -> dict[str, Any]:
    """Draw what the profile's MagCrop does with one image for one prompt.

    Args:
        pipeline: The loaded model.
        image: ``uint8 [H, W, 3]``.
        words: The prompt as a person gave it.
        out: Gets `FILES`; ``adjusted.png`` only where the image is stitched (Eq 2).

    Returns:
        What ``probe.json`` holds; its ``notes`` say why, where there is no window.
    """
    prompt = pipeline.fit(read_prompt(words))
    (prepared,) = pipeline.prepare([Question(image, prompt)])
    model_input = prepared.query.model_input
    chosen_by = _map(pipeline, prepared)
    asked = [LegendRow(f"Asked: {words}")]
    rows = [*asked, LegendRow(chosen_by.meaning, is_ramp=True)]
    save_png(out / FILES[0], with_legend(with_heat(resized(image), chosen_by.values), rows))
    save_png(out / FILES[1], with_boxes(image, prepared.boxes))
    if model_input.image is not image:
        save_png(out / FILES[2], model_input.image)
    patch_px = pipeline.profile.vlm.patch_px
    save_png(
        out / FILES[3],
        views_picture(model_input, patch_px, [*asked, *_window_rows(prepared.boxes)]),
    )
    facts = _facts(pipeline, words, prepared, chosen_by)
    write_json(out / FILES[4], facts)
    return facts


def _facts(
    pipeline: Pipeline, words: str, prepared: PreparedQuestion, chosen_by: _Map
) -> dict[str, Any]:
    """The content of ``probe.json``: the prompt, what was decided about it, windows and views."""
    prompt, decision = prepared.question.prompt, prepared.decision
    assert decision is not None  # the plain arm alone has none
    level, whole = decision.granularity, why_whole(pipeline, prepared)
    patch_px, model_input = pipeline.profile.vlm.patch_px, prepared.query.model_input
    return {
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
        "chosen_by": chosen_by.meaning,
        **_about_heat(pipeline, prepared, chosen_by.heat),
        "crop_boxes": [list(box.as_ints()) for box in prepared.boxes],
        "visual_tokens": model_input.n_tokens(patch_px),
        "views": [
            {
                "box": v.box and list(v.box.as_ints()),
                "side_px": v.side_px,
                "tokens": v.n_tokens(patch_px),
            }
            for v in model_input.views
        ],
        "notes": [*prompt.notes, *([whole] if whole else [])],
    }


def _map(pipeline: Pipeline, prepared: PreparedQuestion) -> _Map:
    """Eq 4's map where it was asked, the coarse mask where that was; else Eq 4 for the picture."""
    question, proposal = prepared.question, prepared.proposal
    if prepared.heat is not None:
        return _Map(prepared.heat.first, ATTENTION, prepared.heat)
    if proposal and proposal.plain and proposal.plain.mask_probabilities:
        return _Map(proposal.plain.mask_probabilities[0], PROBABILITY, None)
    heat = probe_heat(pipeline, question.image, question.prompt, Granularity.REGION)
    return _Map(heat.first, f"{ATTENTION}.{_UNUSED}", heat)


def _about_heat(
    pipeline: Pipeline, prepared: PreparedQuestion, heat: Heat | None
) -> dict[str, Any]:
    """The token that Eq 4 differentiates and where its map is hottest; None where not asked."""
    if heat is None:
        return {"target_token": None, "heat_share": None, "hottest_cell": None}
    image = prepared.question.image
    height, width = image.shape[:2]
    hottest = hottest_cell(heat.first, width=width, height=height)
    return {
        "target_token": target_token(pipeline, image, prepared.question.prompt),
        "heat_share": round(heat_share(pipeline, heat, image), 4),
        "hottest_cell": [round(value, 1) for value in hottest],
    }


def views_picture(model_input: ModelInput, patch_px: int, rows: list[LegendRow]) -> RgbImage:
    """The views side by side, each as the model reads it: cut, squashed, in its own pixels."""
    pixels = torch.from_numpy(model_input.image)
    shown = []
    for view in model_input.views:
        read = (cut(pixels, view) * 255).round().byte().permute(1, 2, 0).numpy()
        large = Image.fromarray(read).resize((_VIEW_PX, _VIEW_PX), Image.Resampling.NEAREST)
        shown += [np.asarray(large), np.full((_VIEW_PX, _GAP_PX, 3), 255, dtype=np.uint8)]
    named = [
        LegendRow(
            f"View {n}: {_place(v.box)}, {v.side_px} pixels a side, {v.n_tokens(patch_px)} tokens"
        )
        for n, v in enumerate(model_input.views, start=1)
    ]
    return with_legend(np.concatenate(shown[:-1], axis=1), [*rows, *named])


def _place(box: PixelBox | None) -> str:
    if box is None:
        return "the whole image"
    x0, y0, x1, y1 = box.as_ints()
    return f"columns {x0} to {x1}, rows {y0} to {y1}"


def _window_rows(boxes: tuple[PixelBox, ...]) -> list[LegendRow]:
    return [
        LegendRow(f"C_{n} in boxes.png: {_place(box)}", ink)
        for n, (box, ink) in enumerate(zip(boxes, WINDOWS, strict=False), start=1)
    ]


def with_boxes(image: RgbImage, boxes: tuple[PixelBox, ...]) -> RgbImage:
    """The image with C_1 in yellow and C_2 in blue."""
    for box, ink in zip(boxes, WINDOWS, strict=False):
        line = max(1, min(image.shape[:2]) // 200)
        image = with_rectangles(image, [box.as_ints()], ink, line_px=line)
    return image
