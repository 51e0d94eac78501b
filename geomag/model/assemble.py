"""GeoMag from its stages' folders: base, adapter, decoder, granularity."""

from pathlib import Path
from typing import TypeVar

from safetensors.torch import load_file, save_file
from torch import Tensor

from geomag.config import profile_digest
from geomag.config.schema import Profile
from geomag.errors import WeightsError
from geomag.magcrop.granularity import PromptClassifier, load_classifiers
from geomag.magcrop.text_encoder import build_text_encoder
from geomag.manifest import publish, read_manifest, write_manifest
from geomag.model.adapter import attach_adapter, load_adapter, save_adapter
from geomag.model.geomag import GeoMag
from geomag.model.sam2_parts import Sam2Parts
from geomag.model.state import load_strictly
from geomag.model.vlm import Vlm
from geomag.model.weights import load_base

Network = TypeVar("Network", bound=GeoMag)


def build_geomag(profile: Profile, vlm: Vlm, sam: Sam2Parts) -> GeoMag:
    """The network that a profile describes, from its frozen parts."""
    return build_as(GeoMag, profile, vlm, sam)


def build_as(kind: type[Network], profile: Profile, vlm: Vlm, sam: Sam2Parts) -> Network:
    """The network that a profile describes.

    Args:
        kind: Class of the result.
        profile: Sizes and forms, which the network takes as plain values.
        vlm: With its adapter.
        sam: SAM2's parts.
    """
    sam.precision = profile.encoder.precision
    return kind(
        vlm,
        sam,
        n_seg=profile.adapter.n_seg,
        decoder=profile.decoder.kind,
        omega_norm=profile.decoder.omega_norm,
        trains_projector=profile.adapter.projector,
    )


def untrained(models: Path, profile: Profile) -> GeoMag:
    """Base models with a fresh adapter, projection and decoder, ready to train.

    The fresh parts are drawn under torch's current seed.
    """
    vlm, sam = load_base(models / "base", profile)
    attach_adapter(vlm, profile.adapter)
    model = build_geomag(profile, vlm, sam)
    model.to(vlm.device)
    return model


def trained(models: Path, profile: Profile) -> GeoMag:
    """The whole model, in evaluation mode, its adapter merged into the weights.

    Raises:
        WeightsError: As `trained_as`.
    """
    return trained_as(GeoMag, models, profile)


def trained_as(kind: type[Network], models: Path, profile: Profile) -> Network:
    """The whole model, in evaluation mode.

    Args:
        kind: Class of the result.
        models: Folder of the parts.
        profile: The settings they were made with.

    Raises:
        WeightsError: If a part is missing, or was trained on another base.
    """
    base = read_manifest(models / "base")["digest"]
    for part in ("adapter", "decoder"):
        facts = read_manifest(models / part)
        if facts["base"] != base:
            raise WeightsError(
                str(models / part),
                f"trained on base {facts['base']}",
                f"base {base}",
                "train again",
            )
    vlm, sam = load_base(models / "base", profile)
    load_adapter(vlm, models / "adapter", profile.adapter)
    model = build_as(kind, profile, vlm, sam)
    model.to(vlm.device)
    state = load_file(models / "decoder" / "decoder.safetensors")
    load_strictly(model.projection, _part(state, "projection."), place="decoder.safetensors")
    load_strictly(model.decoder, _part(state, "decoder."), place="decoder.safetensors")
    model.eval().requires_grad_(False)
    vlm.merge_adapter()
    return model


def save_trained(model: GeoMag, models: Path, profile: Profile) -> dict[str, str]:
    """Write ``adapter`` and ``decoder``; returns their digests.

    Args:
        model: Trained.
        models: Folder of the parts; holds ``base``.
        profile: The settings that it was trained with, whose digest the parts record.
    """
    base = read_manifest(models / "base")["digest"]
    facts = {"base": base, "profile": profile_digest(profile)}
    digests = {}
    with publish(models / "adapter") as out:
        save_adapter(model.vlm, out)
        digests["adapter"] = write_manifest(out, **facts)
    state = {f"projection.{k}": v for k, v in model.projection.state_dict().items()}
    state.update({f"decoder.{k}": v for k, v in model.decoder.state_dict().items()})
    with publish(models / "decoder") as out:
        save_file({k: v.contiguous() for k, v in state.items()}, out / "decoder.safetensors")
        digests["decoder"] = write_manifest(out, **facts)
    return digests


def load_prompt_classifier(models: Path, profile: Profile) -> PromptClassifier:
    """The Task Granularity Classifier and the task head with their text encoder."""
    encoder = build_text_encoder(profile.text_encoder)
    return PromptClassifier(
        encoder,
        *load_classifiers(models / "granularity", encoder_digest=encoder.digest),
        tau=profile.granularity.tau,
        gcg_bypass=profile.magcrop.gcg_bypass,
    )


def _part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
