"""Where the time goes: the costliest operations of a probe, of decoding steps and of a training."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from geomag.bench.gpu.clock import synchronize
from geomag.bench.gpu.decoding import PROMPT_TOKENS, random_prompts
from geomag.bench.gpu.random_model import Scale, profile_of
from geomag.bench.gpu.sections import Figures
from geomag.bench.gpu.training import MICRO, in_batches, one_training, training_samples
from geomag.magcrop.heatmap import ProbeInputs, heatmap
from geomag.model.geomag import GeoMag

MOST = 14
"""Operations listed."""


def measure_kernels(figures: Figures, model: GeoMag, scale: Scale) -> None:
    """Milliseconds and calls of the costliest operations, profiled after a run without."""
    vlm = model.vlm
    prompt = random_prompts(vlm, 1, 32 if scale.small else PROMPT_TOKENS)
    inputs = ProbeInputs(prompt.embeds, prompt.image_columns)
    works: dict[str, Callable[[], Any]] = {
        "probe": partial(heatmap, vlm, inputs),
        "answer_of_5": partial(vlm.generate, prompt, max_new_tokens=5),
        "encoding": partial(_encode, model),
    }
    for name, run in works.items():
        figures[name] = costliest(run, vlm.device)
    micro = 2 if scale.small else MICRO
    settings = in_batches(profile_of(scale), micro, micro, checkpointing=False)
    samples = training_samples(model, settings)
    update = partial(one_training, model, settings, samples, updates=2)
    try:
        figures["two_updates"] = costliest(update, vlm.device)
    finally:
        model.eval().requires_grad_(False)


@torch.no_grad()
def _encode(model: GeoMag) -> None:
    side = model.sam.size.image_px
    model.sam.encode(torch.zeros(1, 3, side, side, device=model.vlm.device))


def costliest(run: Callable[[], Any], device: torch.device) -> list[dict[str, Any]]:
    """Operations by their own time on the device, the costliest first; then their sum."""
    run()
    kinds = [ProfilerActivity.CPU]
    is_cuda = device.type == "cuda"
    if is_cuda:
        kinds.append(ProfilerActivity.CUDA)
    with profile(activities=kinds) as profiler:
        run()
        synchronize(device)
    spent = {
        event.key: (event.self_device_time_total if is_cuda else event.self_cpu_time_total, event)
        for event in profiler.key_averages()
    }
    ranked = sorted(spent.items(), key=lambda pair: -pair[1][0])
    total = sum(microseconds for microseconds, _ in spent.values())
    rows = [
        {"op": key[:80], "ms": round(microseconds / 1000, 3), "calls": event.count}
        for key, (microseconds, event) in ranked[:MOST]
    ]
    return [*rows, {"op": "all", "ms": round(total / 1000, 3), "calls": len(spent)}]
