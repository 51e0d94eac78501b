"""All sections of the check in order of what a short time is best spent on."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from geomag.bench.gpu.answering import measure_answering
from geomag.bench.gpu.clock import synchronize
from geomag.bench.gpu.decoding import adapter_beside, measure_decoding
from geomag.bench.gpu.encoding import measure_encoding
from geomag.bench.gpu.environment import measure_environment
from geomag.bench.gpu.kernels import measure_kernels
from geomag.bench.gpu.probing import measure_probe
from geomag.bench.gpu.random_model import Scale, random_model
from geomag.bench.gpu.sections import Figures, Section, run_sections
from geomag.bench.gpu.training import measure_training
from geomag.bench.gpu.whole import measure_whole
from geomag.model.geomag import GeoMag

Measure = Callable[[Figures, GeoMag, Scale], None]
NEEDS_ADAPTER = ("training", "kernels")
"""Sections that train, for which the adapter stands beside the weights."""
MEASURES: dict[str, tuple[float, Measure]] = {
    "probe": (40, measure_probe),
    "answering": (120, measure_answering),
    "decoding": (60, measure_decoding),
    "encoding": (60, measure_encoding),
    "training": (180, measure_training),
    "whole": (40, measure_whole),
    "kernels": (40, measure_kernels),
}
"""Time limit in seconds and function by name."""
BUILD_S = 90.0


def check(scale: Scale, out: Path, *, seconds: float, only: Sequence[str] = ()) -> int:
    """Build the model once and measure; returns the number of sections that failed.

    Args:
        scale: Device and size.
        out: JSON Lines file, appended to.
        seconds: Limit of everything together.
        only: Names of `MEASURES`; empty: all.
    """
    built: list[GeoMag] = []

    def environment(figures: Figures) -> None:
        device = torch.device(scale.device)
        figures["layers"], figures["small"] = scale.layers, scale.small
        measure_environment(figures, device)
        begun = time.perf_counter()
        built.append(random_model(scale))
        built[0].vlm.merge_adapter()
        synchronize(device)
        figures["build_s"] = time.perf_counter() - begun
        figures["parameters"] = sum(p.numel() for p in built[0].parameters())
        if device.type == "cuda":
            figures["model_gb"] = torch.cuda.memory_allocated(device) / 1e9

    def section(name: str) -> Section:
        limit, measure = MEASURES[name]

        def run(figures: Figures) -> None:
            vlm = built[0].vlm
            with adapter_beside(vlm) if name in NEEDS_ADAPTER else nullcontext():
                measure(figures, built[0], scale)

        return Section(name, limit, run)

    sections = [Section("environment", BUILD_S, environment)]
    sections += [section(name) for name in MEASURES if not only or name in only]
    return run_sections(sections, out, seconds=seconds)
