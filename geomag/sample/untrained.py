"""The sample profile's model at its own sizes with random weights: time does not depend on them."""

import torch

from geomag.config.schema import Profile
from geomag.data.prompts import EVALUATION, PROBE, frame
from geomag.model.adapter import attach_adapter
from geomag.model.assemble import build_geomag
from geomag.model.geomag import GeoMag
from geomag.model.tokenizer import train_tokenizer
from geomag.model.vlm import Vlm
from geomag.model.weights import sample_encoder
from geomag.sample.tiny import tiny_llava


def untrained_model(profile: Profile, *, seed: int = 0) -> GeoMag:
    """Build a model that nobody trained, with its adapter, in evaluation mode."""
    texts = [frame(text) for text in (*EVALUATION.values(), *PROBE.values())]
    tokenizer = train_tokenizer(texts)
    vlm = Vlm(tiny_llava(profile.vlm, tokenizer, seed=seed), tokenizer)
    attach_adapter(vlm, profile.adapter)
    torch.manual_seed(seed)
    model = build_geomag(profile, vlm, sample_encoder(profile).requires_grad_(False))
    model.eval()
    return model
