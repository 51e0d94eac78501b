"""SAM2's encoder by number format, and what the format changes in the masks."""

from typing import get_args

import torch
from torch import Tensor

from geomag.bench.gpu.clock import fastest, peak_memory
from geomag.bench.gpu.random_model import Scale
from geomag.bench.gpu.sections import Figures
from geomag.model.geomag import GeoMag
from geomag.model.precision import Precision, products_in

N_MASKS = 16


@torch.no_grad()
def measure_encoding(figures: Figures, model: GeoMag, scale: Scale) -> None:
    """Images a second at SAM2's side by format and batch; mask pixels unlike float32's."""
    side, device = model.sam.size.image_px, model.vlm.device
    figures["side_px"] = side
    for name in get_args(Precision):
        for rows in (1, 2) if scale.small else (1, 8):
            pixels = torch.rand(rows, 3, side, side, device=device) * 4 - 2

            def encode(name: Precision = name, pixels: Tensor = pixels) -> list[Tensor]:
                with products_in(name, device):
                    return model.sam.encode(pixels)

            repeats = 1 if name == "float32" and rows > 1 else 3
            seconds = fastest(encode, device, repeats=repeats)
            figures[f"{name}_batch_{rows}_images_s"] = rows / seconds
            highest, before = peak_memory(encode, device)
            figures[f"{name}_batch_{rows}_peak_mb"] = (highest - before) / 1e6
    figures.update(mask_differences(model))


def mask_differences(model: GeoMag) -> Figures:
    """Share of mask pixels of `N_MASKS` random prompts that are not float32's, by format.

    ``decoder`` runs the decoder alone in the format, ``all`` the encoder too. ``near_zero`` is the
    share of float32's own logits within a hundredth of their spread of 0, where any rounding
    decides: random weights draw masks without a sure inside.
    """
    device, side = model.vlm.device, model.sam.size.image_px
    torch.manual_seed(1)
    pixels = torch.rand(1, 3, side, side, device=device) * 4 - 2
    h_seg = torch.randn(N_MASKS, len(model.seg_ids), model.vlm.width, device=device)
    with products_in("float32", device):
        plain = model.sam.encode(pixels)
        wanted = decode(model, h_seg, plain)
    found: Figures = {"near_zero_share": float((wanted.abs() < wanted.std() / 100).float().mean())}
    for name in get_args(Precision)[1:]:
        with products_in(name, device):
            features = [level.float() for level in model.sam.encode(pixels)]
            decoder = decode(model, h_seg, plain)
            both = decode(model, h_seg, features)
        far = [float((a - b).norm() / b.norm()) for a, b in zip(features, plain, strict=True)]
        found[f"{name}_feature_error"] = max(far)
        found[f"{name}_decoder_mask_pixels_differ"] = differing(decoder, wanted)
        found[f"{name}_all_mask_pixels_differ"] = differing(both, wanted)
    return found


def decode(model: GeoMag, h_seg: Tensor, features: list[Tensor]) -> Tensor:
    """Mask logits in the format that is set around this."""
    return model.decoder(model.projection(h_seg), features)  # type: ignore[no-any-return]


def differing(logits: Tensor, wanted: Tensor) -> float:
    """Share of pixels on another side of 0."""
    return float(((logits > 0) != (wanted > 0)).float().mean())
