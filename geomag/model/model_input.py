"""What the model sees of an image: Eq 2 by granularity, stitched or as mixed-resolution views."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from geomag.config.schema import Profile
from geomag.data.benchmarks import Granularity
from geomag.geometry import PixelBox
from geomag.magcrop.compose import RgbImage, adjust, build_adjust_rule
from geomag.magcrop.crops import Heat
from geomag.magcrop.views import ImageView, as_pooled, plan_views, pruned
from geomag.model.large import settings_for
from geomag.model.sam2_parts import normalise
from geomag.model.vision import cut


@dataclass(frozen=True, slots=True, eq=False)
class ModelInput:
    """One image as the VLM and as SAM2 see it; equal to itself alone (`ModelInputs`)."""

    image: RgbImage
    """``[H, W, 3]``: I' where it is stitched, else I."""
    views: tuple[ImageView, ...]
    """Coarse to fine, in pixels of ``image``."""
    encoder_image: RgbImage
    """``[h, w, 3]``: what SAM2 encodes."""
    encoder_box: PixelBox | None
    """Place of SAM2's picture in the image; None is all of it."""

    def n_tokens(self, patch_px: int) -> int:
        """Visual tokens of all views."""
        return sum(view.n_tokens(patch_px) for view in self.views)


class ModelInputs:
    """Equal inputs of one image as one object.

    What decides the pixels is the key, so whoever holds one object for two questions has seen
    the same for both: the model encodes it once, and training may ask them in one row.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._known: dict[tuple[Any, ...], tuple[ModelInput, Any]] = {}

    def of(
        self,
        image: RgbImage,
        granularity: Granularity | None,
        boxes: Sequence[PixelBox] = (),
        heat: Heat | None = None,
    ) -> ModelInput:
        """Choose views as `magcrop_input` does; a region without boxes is seen whole."""
        if self._profile.magcrop.fewer != "prune":
            heat = None
        if not boxes and granularity is not Granularity.IMAGE:
            granularity = None
        key = (id(image), granularity, tuple(boxes), None if heat is None else id(heat))
        if key not in self._known:
            settings = settings_for(image, self._profile)
            model_input = magcrop_input(image, granularity, boxes, settings, heat)
            self._known[key] = (model_input, (image, heat))  # held, so that their ids stay theirs
        return self._known[key][0]


def plain_input(image: RgbImage, profile: Profile) -> ModelInput:
    """The whole image, no MagCrop: at the native side, or in as many tokens as the budget has."""
    return ModelInput(image, _views((), profile), image, None)


def magcrop_input(
    image: RgbImage,
    granularity: Granularity | None,
    boxes: Sequence[PixelBox],
    profile: Profile,
    heat: Heat | None = None,
) -> ModelInput:
    """Eq 2 for one image.

    Args:
        image: ``[H, W, 3]`` uint8.
        granularity: G; None leaves the image as it is.
        boxes: C_1, or C_1 and C_2, in pixels; empty where the probe found nothing sure.
        profile: View, filters, sides.
        heat: What ``magcrop.fewer: prune`` ranks tokens by; without it nothing is pruned.
    """
    settings = profile.magcrop
    if granularity is None:
        return plain_input(image, profile)
    if granularity is not Granularity.IMAGE and not boxes:
        return plain_input(image, profile)
    is_image = granularity is Granularity.IMAGE
    if settings.view == "tokens" and (settings.image_budget or not is_image):
        views = _image_view(profile) if is_image else _token_views(boxes, heat, profile)
        return _with_encoder(image, image, views, boxes, profile)
    first = boxes[0] if boxes else None
    second = boxes[1] if len(boxes) > 1 else None
    if granularity is Granularity.PIXEL and second is None:
        granularity = Granularity.REGION
    adjusted = adjust(image, granularity, first, second, rule=build_adjust_rule(settings))
    return _with_encoder(image, adjusted, _views((), profile), boxes, profile)


def encoder_pixels(model_input: ModelInput, side_px: int) -> Tensor:
    """SAM2's input ``[3, S, S]``, squashed and normalised."""
    pixels = cut(torch.from_numpy(model_input.encoder_image), ImageView(None, side_px))
    return normalise(pixels[None])[0]


def _image_view(profile: Profile) -> tuple[ImageView, ...]:
    """I_100x100 in as many tokens as it has patches, not brought back to full size."""
    return _views((), profile, budget=min(profile.magcrop.image_budget, _budget(profile)))


def _token_views(
    boxes: Sequence[PixelBox], heat: Heat | None, profile: Profile
) -> tuple[ImageView, ...]:
    """The image beside its crops, or what pruning leaves of it."""
    settings, vlm = profile.magcrop, profile.vlm
    if settings.fewer == "prune" and heat is not None:
        sizes = {"side_px": vlm.image_px, "patch_px": vlm.patch_px}
        return (pruned(heat.first, budget=_budget(profile), **sizes),)
    return _views(boxes, profile)


def _views(
    boxes: Sequence[PixelBox], profile: Profile, *, budget: int | None = None
) -> tuple[ImageView, ...]:
    """Views within the budget of visual tokens, cut smaller or pooled."""
    side, patch = profile.vlm.image_px, profile.vlm.patch_px
    most = _budget(profile) if budget is None else budget
    views = plan_views(boxes, budget=most, patch_px=patch, max_px=side)
    if profile.magcrop.fewer == "native":
        return tuple(views)
    return tuple(as_pooled(views, side_px=side, patch_px=patch))


def _budget(profile: Profile) -> int:
    full = (profile.vlm.image_px // profile.vlm.patch_px) ** 2
    return min(profile.magcrop.budget or full, full)


def _with_encoder(
    image: RgbImage,
    seen: RgbImage,
    views: tuple[ImageView, ...],
    boxes: Sequence[PixelBox],
    profile: Profile,
) -> ModelInput:
    if profile.encoder.input == "crop" and boxes:
        x0, y0, x1, y1 = boxes[0].as_ints()
        return ModelInput(seen, views, image[y0:y1, x0:x1], boxes[0])
    shown = image if profile.encoder.input == "original" else seen
    return ModelInput(seen, views, shown, None)
