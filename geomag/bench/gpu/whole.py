"""One whole answer of each kind with MagCrop, seconds by phase; [SEG] is forced to be said."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from geomag.bench.gpu.clock import synchronize
from geomag.bench.gpu.random_model import IMAGE_PX, Scale, profile_of, random_image, random_words
from geomag.bench.gpu.sections import Figures
from geomag.config.schema import Profile
from geomag.data.benchmarks import Granularity, Task
from geomag.data.prompts import EVALUATION
from geomag.geometry import PixelBox
from geomag.inference.probes import AttentionProbe, ProbeRequest
from geomag.model.geomag import GeoMag
from geomag.model.model_input import magcrop_input
from geomag.model.query import Query
from geomag.model.vlm import Vlm

SURE = 1e4
"""Bias added to the logit of a token that is to be said."""


def measure_whole(figures: Figures, model: GeoMag, scale: Scale) -> None:
    """Seconds of probe, view and answer of a caption, a question and a mask, the second time."""
    vlm, profile = model.vlm, profile_of(scale)
    word, end = vlm.ids(random_words(7, 1)), [int(vlm.tokenizer.eos_token_id)]
    n_caption = 4 if scale.small else 24
    kinds = {
        "caption": (Task.CAPTION, Granularity.IMAGE, [*word * n_caption, *end]),
        "vqa": (Task.VQA, Granularity.REGION, [*word, *end]),
        "referring": (Task.REFERRING, Granularity.PIXEL, [*model.seg_ids, *word, *end]),
    }
    for name, (task, level, script) in kinds.items():
        prompt = EVALUATION[task].format(x=random_words(3, 8))
        answer_once(model, profile, prompt, level, script)
        seconds, answer = answer_once(model, profile, prompt, level, script)
        figures.update({f"{name}_{phase}_s": value for phase, value in seconds.items()})
        figures[f"{name}_masks"] = len(answer.masks)
        figures[f"{name}_tokens"] = len(script) - 1


def answer_once(
    model: GeoMag, profile: Profile, prompt: str, level: Granularity, script: Sequence[int]
) -> tuple[dict[str, float], Any]:
    """The answer, and seconds of its phases; vision, language and masks are the model's own."""
    image, device = random_image(0), model.vlm.device
    marks = [_now(device)]
    boxes: tuple[PixelBox, ...] = ()
    if level is not Granularity.IMAGE:
        request = ProbeRequest(image=image, prompt=prompt, probe_prompt=prompt, granularity=level)
        boxes = AttentionProbe(model, profile).find([request])[0].boxes
    marks.append(_now(device))
    model_input = magcrop_input(image, level, boxes, profile)
    marks.append(_now(device))
    with saying(model.vlm, script):
        query = Query(model_input, prompt, IMAGE_PX, IMAGE_PX)
        (answer,) = model.answer([query], max_new_tokens=len(script))
    marks.append(_now(device))
    seconds = {"probe": marks[1] - marks[0], "view": marks[2] - marks[1], **answer.seconds}
    return {**seconds, "total": marks[3] - marks[0]}, answer


@contextmanager
def saying(vlm: Vlm, script: Sequence[int]) -> Iterator[None]:
    """Make the next answer say ``script``: a bias on one logit a step, the rest as computed."""
    step = iter(script)

    def favour(_module: nn.Module, _args: Any, logits: Tensor) -> Tensor:
        logits[..., next(step)] += SURE
        return logits

    handle = vlm.lm_head.register_forward_hook(favour)
    try:
        yield
    finally:
        handle.remove()


def _now(device: Any) -> float:
    synchronize(device)
    return time.perf_counter()
