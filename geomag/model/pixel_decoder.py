"""Text Projection and Pixel Decoder (paper 3.1, Eq 1; protocols/model#tokens).

``Mask = sum_l omega_l * PixelDecoder(sum_n beta_n h_seg^n, f_img^l)``
"""

from typing import Literal

import torch
import torch.nn.functional as F
from sam2.modeling.sam2_utils import MLP
from torch import Tensor, nn

from geomag.model.sam2_parts import Sam2Parts

DecoderKind = Literal["sam2_ms", "per_level", "single"]
OmegaNorm = Literal["none", "softmax"]
N_LEVELS = 3


class TextProjection(nn.Module):
    """Two-layer MLP from the VLM's width to the decoder's: Linear, ReLU, Linear (paper 3.1)."""

    def __init__(self, vlm_width: int, decoder_width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(vlm_width, vlm_width), nn.ReLU(), nn.Linear(vlm_width, decoder_width)
        )

    def forward(self, h_seg: Tensor) -> Tensor:
        """Project ``[..., D]`` to ``[..., C]``."""
        return self.layers(h_seg)  # type: ignore[no-any-return]


class PixelDecoder(nn.Module):
    """SAM2's mask decoder with a mask per feature level, weighted by omega (Eq 1).

    At ``omega = (0, 0, 1)``, its initial value, the output equals the stock SAM2 decoder fed with
    the fused [SEG] embedding as its only prompt.
    """

    def __init__(
        self,
        parts: Sam2Parts,
        *,
        n_seg: int,
        kind: DecoderKind = "sam2_ms",
        omega_norm: OmegaNorm = "none",
    ) -> None:
        super().__init__()
        width = parts.size.neck_width
        self.kind = kind
        self.omega_norm = omega_norm
        self.mask_decoder = parts.sam_mask_decoder
        self.hyper_1 = MLP(width, width, width // 4, 3)
        self.hyper_2 = MLP(width, width, width, 3)
        self.level_embed = nn.Parameter(torch.zeros(N_LEVELS, width))
        self.beta = nn.Parameter(torch.full((n_seg,), 1.0 / n_seg))
        self.omega = nn.Parameter(torch.tensor([0.0, 0.0, 1.0]))
        self.register_buffer("dense_pe", parts.sam_prompt_encoder.get_dense_pe().detach().clone())
        no_mask = (
            parts.sam_prompt_encoder.no_mask_embed.weight.detach().reshape(1, -1, 1, 1).clone()
        )
        self.register_buffer("no_mask_embed", no_mask)
        self.dense_pe: Tensor
        self.no_mask_embed: Tensor

    def trainable_parameters(self) -> dict[str, nn.Parameter]:
        """Parameters that a mask depends on, by name, in the module's own order.

        What SAM2 keeps for its other masks, its IoU and object heads, and the convolutions that
        ran before the features were kept are never reached by Eq 1.
        """
        decoder, kind = self.mask_decoder, self.kind
        modules = [
            decoder.transformer, decoder.iou_token, decoder.mask_tokens, decoder.obj_score_token,
        ]  # fmt: skip
        alone = [self.beta]
        if kind != "per_level":
            modules += [decoder.output_upscaling, decoder.output_hypernetworks_mlps[0]]
        if kind == "sam2_ms":
            modules.append(self.hyper_1)
        if kind != "single":
            modules.append(self.hyper_2)
            alone.append(self.omega)
        if kind == "per_level":
            alone.append(self.level_embed)
        reached = {id(p) for module in modules for p in module.parameters()} | set(map(id, alone))
        return {name: p for name, p in self.named_parameters() if id(p) in reached}

    def level_weights(self) -> Tensor:
        """Omega, coarse to fine ``[3]``, normalised if so configured."""
        return self.omega.softmax(0) if self.omega_norm == "softmax" else self.omega

    def fuse(self, h_seg: Tensor) -> Tensor:
        """``sum_n beta_n h_n``: ``[K, N, C]`` to ``[K, 1, C]``, one prompt token per target."""
        return torch.einsum("n,knc->kc", self.beta, h_seg)[:, None, :]

    def forward(self, h_seg: Tensor, f_img: list[Tensor]) -> Tensor:
        """Mask logits of K targets of one image, or of K images.

        Args:
            h_seg: Projected [SEG] states, ``[K, N, C]``.
            f_img: Features fine to coarse (`Sam2Parts.encode`), batch 1 (shared by all targets)
                or K. ``per_level`` takes `Sam2Parts.raw_pyramid` instead.

        Returns:
            ``[K, S/4, S/4]``, fp32.
        """
        return self.from_prompt(self.fuse(h_seg), f_img)

    def from_prompt(self, prompt: Tensor, f_img: list[Tensor]) -> Tensor:
        """Decode as `forward` does, for prompt embeddings ``[K, T, C]`` of any origin."""
        features = [f.expand(len(prompt), -1, -1, -1) for f in f_img]
        if self.kind == "per_level":
            return self._per_level(prompt, features)
        tokens, z2, z1, z0 = self._two_way(prompt, features)
        mask_0 = self._read(self.mask_decoder.output_hypernetworks_mlps[0], tokens, z0)
        if self.kind == "single":
            return mask_0
        mask_1 = self._read(self.hyper_1, tokens, z1)
        mask_2 = self._read(self.hyper_2, tokens, z2)
        size = mask_0.shape[-2:]
        weights = self.level_weights()
        return weights[0] * _up(mask_2, size) + weights[1] * _up(mask_1, size) + weights[2] * mask_0

    def _two_way(self, prompt: Tensor, features: list[Tensor]) -> tuple[Tensor, ...]:
        decoder = self.mask_decoder
        f0, f1, f2 = features
        hs, source = self._transform(prompt, f2, self.dense_pe)
        dc1, ln1, act1, dc2, act2 = decoder.output_upscaling
        z1 = act1(ln1(dc1(source) + f1))
        z0 = act2(dc2(z1) + f0)
        return hs, source, z1, z0

    def _transform(self, prompt: Tensor, features: Tensor, pe: Tensor) -> tuple[Tensor, Tensor]:
        """The two-way transformer: mask token ``[K, C]`` and image ``[K, C, h, w]``."""
        decoder = self.mask_decoder
        k, c, h, w = features.shape
        output = torch.cat(
            [decoder.obj_score_token.weight, decoder.iou_token.weight, decoder.mask_tokens.weight]
        )
        tokens = torch.cat([output.expand(k, -1, -1), prompt], dim=1)
        hs, source = decoder.transformer(
            features + self.no_mask_embed, pe.expand(k, -1, -1, -1), tokens
        )
        return hs[:, 2], source.transpose(1, 2).view(k, c, h, w)

    def _per_level(self, prompt: Tensor, features: list[Tensor]) -> Tensor:
        """Eq 1 to the letter: the same decoder on each level, then the weighted sum."""
        size = features[0].shape[-2:]
        total = features[0].new_zeros(len(prompt), *size, dtype=torch.float32)
        for level, (weight, feature) in enumerate(
            zip(self.level_weights(), reversed(features), strict=True)
        ):
            pe = F.interpolate(self.dense_pe, size=feature.shape[-2:], mode="bilinear")
            shifted = feature + self.level_embed[level].reshape(1, -1, 1, 1)
            token, source = self._transform(prompt, shifted, pe)
            total = total + weight * _up(self._read(self.hyper_2, token, source), size)
        return total

    @staticmethod
    def _read(hyper: nn.Module, token: Tensor, z: Tensor) -> Tensor:
        """``<hyper(mask token), z>`` in fp32: ``[K, h, w]``."""
        return torch.einsum("kc,kchw->khw", hyper(token).float(), z.float())


def _up(mask: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    return F.interpolate(mask[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def to_image(mask_logits: Tensor, *, height: int, width: int) -> Tensor:
    """One bilinear resize of logits ``[K, h, w]`` to the image, then threshold 0: bool."""
    return image_logits(mask_logits, height=height, width=width) > 0


def image_logits(mask_logits: Tensor, *, height: int, width: int) -> Tensor:
    """Logits ``[K, h, w]`` resized to the image; those that are not finite become background."""
    finite = torch.nan_to_num(mask_logits.float(), nan=-1.0, posinf=1.0, neginf=-1.0)
    return _up(finite, (height, width))
