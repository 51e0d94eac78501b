"""The Eq 4 probe at its true size, in prefills of the same prompt."""

import torch

from geomag.bench.gpu.clock import fastest, peak_memory
from geomag.bench.gpu.random_model import Scale
from geomag.bench.gpu.sections import Figures
from geomag.bench.probe import ProbeCase, action
from geomag.magcrop.heatmap import ProbeInputs
from geomag.model.geomag import GeoMag

TEXT_TOKENS = 64


def measure_probe(figures: Figures, model: GeoMag, scale: Scale) -> None:
    """Seconds and peak memory of probe and prefill, for one prompt and for a batch of them."""
    vlm, device = model.vlm, model.vlm.device
    n_image = (vlm.image_px // vlm.patch_px) ** 2
    n_tokens = n_image + TEXT_TOKENS
    figures["n_tokens"] = n_tokens
    dtype = vlm.llava.get_input_embeddings().weight.dtype
    for rows in (1, 2 if scale.small else 8):
        embeds = torch.randn(rows, n_tokens, vlm.width, device=device, dtype=dtype)
        columns = torch.arange(n_tokens, device=device).expand(rows, -1) < n_image
        inputs = ProbeInputs(embeds, columns)
        with vlm.base_weights():
            for variant in ("prefill", "ours"):
                run = action(ProbeCase(variant=variant, n_tokens=n_tokens))
                name = f"{'probe' if variant == 'ours' else variant}_{rows}"
                seconds = fastest(lambda run=run, i=inputs: run(vlm, i), device, repeats=5)  # type: ignore[misc]
                figures[f"{name}_s"] = seconds
                highest, before = peak_memory(lambda run=run, i=inputs: run(vlm, i), device)  # type: ignore[misc]
                figures[f"{name}_peak_mb"] = (highest - before) / 1e6
        figures[f"probe_to_prefill_{rows}"] = (
            figures[f"probe_{rows}_s"] / figures[f"prefill_{rows}_s"]
        )
