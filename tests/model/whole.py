"""A whole tiny GeoMag for tests: the real classes at width 32, untrained, seeded."""

import torch

from geomag.config import Profile, load_profile, override
from geomag.model.adapter import attach_adapter
from geomag.model.assemble import build_as
from geomag.model.geomag import GeoMag
from geomag.model.sam2_parts import Sam2Parts, sample_size
from geomag.model.vlm import Vlm
from tests.model.tiny import tiny_vlm, tiny_vlm_config

PAPER_FORM = {
    "view": "stitch",
    "probe": "attention",
    "answer_selection": "window",
    "large_probe": "tiles",
}
"""Whatever the profile `sample` does."""


def tiny_profile(**sections) -> Profile:
    config = tiny_vlm_config()
    values = {
        "vlm": {"image_px": config.image_px, "patch_px": config.patch_px},
        **sections,
        "encoder": {
            "image_px": 64,
            "neck_width": 32,
            "input": "adjusted",
            **sections.get("encoder", {}),
        },
        "magcrop": {**PAPER_FORM, **sections.get("magcrop", {})},
    }
    return override(load_profile("sample"), **values)


class TinyGeoMag(GeoMag):
    """The network with the settings that it was built from, for tests that need both."""

    profile: Profile


def tiny_geomag(seed: int = 0, **sections) -> TinyGeoMag:
    return geomag_of(tiny_vlm(seed=seed), seed=seed, **sections)


def geomag_of(vlm: Vlm, /, seed: int = 0, **sections) -> TinyGeoMag:
    """The same around another language model."""
    profile = tiny_profile(**sections)
    attach_adapter(vlm, profile.adapter)
    torch.manual_seed(seed)
    sam = Sam2Parts(sample_size(image_px=64, embed_dim=16, neck_width=32)).requires_grad_(False)
    model = build_as(TinyGeoMag, profile, vlm, sam.eval())
    model.profile = profile
    return model
