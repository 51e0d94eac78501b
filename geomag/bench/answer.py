"""What one answer costs, by phase: visual tokens, TFLOP and seconds, probes counted.

The phases run the product's own parts at the shapes of one answer. On the meta device they are
counted at 7B size, which needs no weights; on the sample's sizes they are timed (random weights
cost what trained ones do).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from geomag.bench.full_size import count_flops
from geomag.bench.full_size import full_size as build_full_size
from geomag.bench.naive_probe import causal_mask
from geomag.config import load_profile
from geomag.config.schema import MagCropConfig
from geomag.data.benchmarks import Granularity
from geomag.geometry import PixelBox
from geomag.magcrop.compose import adjust, build_adjust_rule
from geomag.magcrop.heatmap import ProbeInputs, token_heat
from geomag.magcrop.views import ImageView, image_level_view, plan_views
from geomag.magcrop.window import build_window_rule, select_window
from geomag.model.geomag import GeoMag
from geomag.model.pixel_decoder import to_image
from geomag.model.vision import cut, unit_box, visual_tokens

Way = Literal["plain", "stitch", "tokens"]
WAYS: tuple[Way, ...] = ("plain", "stitch", "tokens")
LEVELS = (Granularity.IMAGE, Granularity.REGION, Granularity.PIXEL)
PHASES = ("probe", "select", "encode", "prefill", "decode", "mask")
IMAGE_PX = 800
"""Side of the image: RRSIS-D's and GeoPixelD's."""
OUTER, INNER = PixelBox(200, 200, 600, 600), PixelBox(300, 300, 500, 500)
"""C_1 and C_2: half and a quarter of the side (protocols/model#visual-tokens)."""
TEXT_TOKENS = 64
NEW_TOKENS = {Granularity.IMAGE: 24, Granularity.REGION: 3, Granularity.PIXEL: 6}
"""New tokens of a caption, of a word, and of a [SEG] group with its full stop; the end token
included."""
GEOPIXEL_TOKENS = 4_081
"""Visual tokens of GeoPixel at 800 x 800 with 9 tiles (protocols/model#visual-tokens)."""
WARM_UPS, RUNS = 3, 15


@dataclass(frozen=True, slots=True)
class Case:
    """One way of answering at one level."""

    way: Way
    level: Granularity
    views: tuple[ImageView, ...]
    """Views that the answer reads."""
    probe_px: int
    n_probes: int

    @property
    def n_steps(self) -> int:
        """Forward passes after the prefill: the last token needs none."""
        return NEW_TOKENS[self.level] - 1

    def n_tokens(self, patch_px: int) -> int:
        """Visual tokens of the answer."""
        return sum(view.n_tokens(patch_px) for view in self.views)

    def n_probe_tokens(self, patch_px: int) -> int:
        """Visual tokens of all its probes."""
        return self.n_probes * ImageView(None, self.probe_px).n_tokens(patch_px)


def case(way: Way, level: Granularity, *, side_px: int, patch_px: int) -> Case:
    """Views and probes of one answer.

    The paper's way probes and reads the whole side; ``tokens`` probes at half of it and reads
    320 or 356 of 576 tokens, 49 at image level, or as large a share of a smaller tower's.
    """
    whole = (ImageView(None, side_px),)
    if way == "plain":
        return Case(way, level, whole, side_px, 0)
    boxes = {Granularity.IMAGE: (), Granularity.REGION: (OUTER,), Granularity.PIXEL: (OUTER, INNER)}
    chosen = boxes[level]
    if way == "stitch":
        return Case(way, level, whole, side_px, len(chosen))
    half = side_px // 2 // patch_px * patch_px
    if not chosen:
        image_px = round(100 * side_px / 336)
        return Case(way, level, (image_level_view(image_px, patch_px),), half, 0)
    share = {1: 320, 2: 356}[len(chosen)] / 576
    budget = round(share * (side_px // patch_px) ** 2)
    views = plan_views(chosen, budget=budget, patch_px=patch_px, max_px=side_px)
    return Case(way, level, tuple(views), half, len(chosen))


def phases(model: GeoMag, case: Case) -> dict[str, Callable[[], Any]]:
    """What each phase of one answer runs, on the model's device."""
    length = case.n_tokens(model.vlm.patch_px) + TEXT_TOKENS
    return {
        "probe": lambda: [_probe(model, case.probe_px) for _ in range(case.n_probes)],
        "select": lambda: _select(model, case),
        "encode": lambda: [_encode(model, view) for view in case.views],
        "prefill": lambda: _prefill(model, length),
        "decode": lambda: _steps(model, length, case.n_steps),
        "mask": lambda: _mask(model) if case.level is Granularity.PIXEL else None,
    }


def _embeds(model: GeoMag, n_tokens: int) -> Tensor:
    weight = model.vlm.llava.get_input_embeddings().weight
    return torch.zeros(1, n_tokens, model.vlm.width, device=weight.device, dtype=weight.dtype)


def _encode(model: GeoMag, view: ImageView) -> Tensor:
    """CLIP and projector on one view."""
    device = model.vlm.device
    pixels = torch.zeros(1, 3, view.side_px, view.side_px, device=device)
    box = torch.tensor([unit_box(view, width=IMAGE_PX, height=IMAGE_PX)], device=device)
    return visual_tokens(model.vlm.llava.model, pixels, box)


def _probe(model: GeoMag, side_px: int) -> Tensor:
    """Eq 4 over the whole of an image, with the base's weights."""
    seen = ImageView(None, side_px)
    n_image = seen.n_tokens(model.vlm.patch_px)
    embeds = _embeds(model, n_image + TEXT_TOKENS)
    device = embeds.device
    columns = torch.ones(1, embeds.shape[1], dtype=torch.bool, device=device)
    with model.vlm.base_weights():
        _encode(model, seen)
        # packing the image columns reads them back, which meta tensors do not allow
        return token_heat(model.vlm, ProbeInputs(embeds, columns))[0]


def _select(model: GeoMag, case: Case) -> None:
    """Windows, Eq 2 and resizing: on the CPU, no weights."""
    config = MagCropConfig()
    image = np.zeros((IMAGE_PX, IMAGE_PX, 3), dtype=np.uint8)
    grid = case.probe_px // model.vlm.patch_px
    heat = np.random.default_rng(0).random((grid, grid))
    rule = build_window_rule(config, base_px=case.probe_px)
    for _ in range(case.n_probes):
        select_window(heat, width=IMAGE_PX, height=IMAGE_PX, rule=rule)
    if case.way == "stitch":
        boxes = (OUTER, INNER)[: case.n_probes]
        image = adjust(image, case.level, *boxes, rule=build_adjust_rule(config))
    for view in case.views:
        cut(torch.from_numpy(image), view)


def _prefill(model: GeoMag, length: int) -> Tensor:
    """The language model over image and prompt; logits of the first token."""
    embeds = _embeds(model, length)
    columns = torch.zeros(embeds.shape[:2], dtype=torch.bool, device=embeds.device)
    states = model.vlm.language_model(
        inputs_embeds=embeds,
        attention_mask=causal_mask(ProbeInputs(embeds, columns)) if embeds.is_meta else None,
        use_cache=True,
    ).last_hidden_state
    return model.vlm.lm_head(states[:, -1])  # type: ignore[no-any-return]


def _steps(model: GeoMag, length: int, n_steps: int) -> None:
    """The tokens after the first, one at a time, on a cache of the prompt's length."""
    text = model.vlm.llava.config.text_config
    heads, size = text.num_key_value_heads, text.hidden_size // text.num_attention_heads
    row = _embeds(model, 1)
    past = torch.zeros(1, heads, length, size, device=row.device, dtype=row.dtype)
    cache = DynamicCache([(past, past)] * text.num_hidden_layers)
    for done in range(1, n_steps + 1):
        seen = torch.zeros(1, 1, 1, length + done, device=row.device, dtype=row.dtype)
        states = model.vlm.language_model(
            inputs_embeds=row,
            attention_mask=seen,
            position_ids=torch.zeros(1, 1, dtype=torch.long, device=row.device),
            cache=cache,
            use_cache=True,
        ).last_hidden_state
        model.vlm.lm_head(states[:, -1])


def _mask(model: GeoMag) -> Tensor:
    """SAM2's encoder, Text Projection, Pixel Decoder and the resize to the image."""
    side, device = model.sam.size.image_px, model.vlm.device
    features = model.sam.encode(torch.zeros(1, 3, side, side, device=device))
    h_seg = torch.zeros(1, len(model.seg_names), model.vlm.width, device=device)
    return to_image(model.mask_logits(h_seg, features), height=IMAGE_PX, width=IMAGE_PX)


def bench_answer(
    small: GeoMag,
    *,
    full_size: bool = True,
    runs: int = RUNS,
    log: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """TFLOP at 7B sizes and seconds at those of ``small``, every way and level."""
    result: dict[str, Any] = {"bench": "answer", "torch": torch.__version__}
    result["threads"] = torch.get_num_threads()
    if full_size:
        log("visual tokens of the answer + of its probes; TFLOP at LLaVA-1.5-7B's sizes")
        paper = load_profile("paper")
        result["full_size"] = rows(build_full_size(paper), count, "tflop", log=log)
    log("the same; milliseconds at the sizes of the model that is timed")
    timed = partial(clock, runs=runs)
    result["sample"] = rows(small, timed, "seconds", log=log)
    return result


@torch.no_grad()
def count(model: GeoMag, one: Case) -> dict[str, float]:
    """TFLOP of every phase of one answer; ``model`` may be on meta."""
    length = one.n_tokens(model.vlm.patch_px) + TEXT_TOKENS
    found = {
        "probe": one.n_probes * _flops(model, _probe, one.probe_px),
        "select": 0,  # resizing is no matrix product
        "encode": sum(_flops(model, _encode, view) for view in one.views),
        "prefill": _flops(model, _prefill, length),
        # a step differs from the one before by one position of attention, less than 1 in 10,000
        "decode": one.n_steps * _flops(model, _steps, length, 1),
        "mask": _flops(model, _mask) if one.level is Granularity.PIXEL else 0,
    }
    return {name: value / 1e12 for name, value in found.items()}


@lru_cache(maxsize=64)
def _flops(model: GeoMag, part: Callable[..., Any], *shape: Any) -> int:
    return count_flops(lambda: part(model, *shape))


@torch.no_grad()
def clock(model: GeoMag, one: Case, *, runs: int = RUNS) -> dict[str, float]:
    """Seconds of every phase of one answer, batch 1: the fastest run after `WARM_UPS` others.

    Of one CPU thread the thread's own seconds count, so a busy machine hardly shows; elsewhere the
    wall clock's.
    """
    is_alone = model.vlm.device.type == "cpu" and torch.get_num_threads() == 1
    now = time.process_time if is_alone else time.perf_counter
    found = {}
    for name, run in phases(model, one).items():
        spent = []
        for number in range(WARM_UPS + runs):
            begun = now()
            run()
            if model.vlm.device.type == "cuda":
                torch.cuda.synchronize()
            if number >= WARM_UPS:
                spent.append(now() - begun)
        found[name] = min(spent)
    return found


def rows(
    model: GeoMag,
    measure: Callable[[GeoMag, Case], dict[str, float]],
    unit: str,
    *,
    log: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """One row per way and level: tokens, the measure by phase, and its sum under ``total``."""
    vlm, found = model.vlm, []
    for level in LEVELS:
        for way in WAYS:
            one = case(way, level, side_px=vlm.image_px, patch_px=vlm.patch_px)
            by_phase = measure(model, one)
            row = {
                "way": way,
                "level": level.value,
                "tokens": one.n_tokens(vlm.patch_px),
                "probe_tokens": one.n_probe_tokens(vlm.patch_px),
                unit: {**by_phase, "total": sum(by_phase.values())},
            }
            found.append(row)
            log(line(row, unit))
    return found


def line(row: dict[str, Any], unit: str) -> str:
    """Row printed to the terminal."""
    scale, digits = (1000, 2) if unit == "seconds" else (1, 3)
    values = (f"{name} {value * scale:.{digits}f}" for name, value in row[unit].items())
    tokens = f"{row['tokens']:>4} + {row['probe_tokens']:<4}"
    return f"{row['level']:<7}{row['way']:<8}{tokens} tokens  " + "  ".join(values)
