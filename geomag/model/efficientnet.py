"""EfficientNet-Lite as a vision tower of LLaVA: convolutions only, features of every stride.

The layers and the names of their weights are those of the published checkpoints
(`efficientnet-lite-pytorch`; Tan and Le 2019, the lite variants without squeeze-and-excitation), so
a checkpoint loads strictly. A tower is frozen: its batch norms never leave their running means.
"""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

STEM = 32
LITE0 = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
"""Stages of the network: blocks, kernel, stride of the first block, expansion, channels in and
out."""


class EfficientNetLiteConfig(PreTrainedConfig):
    """Sizes of a tower, and how it wants its pixels."""

    model_type = "efficientnet_lite"

    hidden_size: int = 1280
    """Channels of the last feature map, which LLaVA's projector reads."""
    stages: tuple[tuple[int, ...], ...] = LITE0
    image_size: int = 224
    patch_size: int = 32
    """Pixels a side of one cell of the last map: the product of all strides."""
    batch_norm_eps: float = 1e-3
    image_mean: tuple[float, ...] = (127 / 255,) * 3
    image_std: tuple[float, ...] = (128 / 255,) * 3


class SamePadConv(nn.Conv2d):
    """Convolution padded as TensorFlow pads an even side: the odd pixel to the right and below."""

    def forward(self, pixels: Tensor) -> Tensor:
        """``[B, C, H, W]`` to ``[B, C', H / stride, W / stride]``."""
        total = self.kernel_size[0] - self.stride[0]
        before, after = total // 2, total - total // 2
        return super().forward(F.pad(pixels, (before, after, before, after)))


class InvertedBottleneck(nn.Module):
    """Expand, convolve each channel by itself, project; a shortcut where the shape stays."""

    def __init__(self, kernel: int, stride: int, expansion: int, sides: tuple[int, int]) -> None:
        super().__init__()
        channels_in, channels_out = sides
        width = expansion * channels_in
        if expansion != 1:
            self._expand_conv = SamePadConv(channels_in, width, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(width, eps=1e-3)
        self._depthwise_conv = SamePadConv(
            width, width, kernel, stride=stride, groups=width, bias=False
        )
        self._bn1 = nn.BatchNorm2d(width, eps=1e-3)
        self._project_conv = SamePadConv(width, channels_out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(channels_out, eps=1e-3)
        self._expands = expansion != 1
        self._has_shortcut = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` to ``[B, C', H / stride, W / stride]``."""
        inner = F.relu6(self._bn0(self._expand_conv(x))) if self._expands else x
        inner = F.relu6(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        return inner + x if self._has_shortcut else inner


class EfficientNetLiteModel(PreTrainedModel):
    """The tower: pixels to a feature map, and to the maps of every stride on the way."""

    config_class = EfficientNetLiteConfig
    config: EfficientNetLiteConfig
    main_input_name = "pixel_values"
    base_model_prefix = "efficientnet"

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        self._conv_stem = SamePadConv(3, STEM, 3, stride=2, bias=False)
        self._bn0 = nn.BatchNorm2d(STEM, eps=config.batch_norm_eps)
        self._blocks = nn.ModuleList()
        for blocks, kernel, stride, expansion, channels_in, channels_out in config.stages:
            for number in range(blocks):
                first = number == 0
                sides = (channels_in if first else channels_out, channels_out)
                self._blocks.append(
                    InvertedBottleneck(kernel, stride if first else 1, expansion, sides)
                )
        self._conv_head = SamePadConv(config.stages[-1][-1], config.hidden_size, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(config.hidden_size, eps=config.batch_norm_eps)
        self.post_init()

    def train(self, mode: bool = True) -> "EfficientNetLiteModel":
        """Stay in evaluation mode, whatever the model around it does."""
        del mode
        super().train(False)
        return self

    def pyramid(self, pixels: Tensor) -> list[Tensor]:
        """Feature maps fine to coarse, the last of each stride.

        Args:
            pixels: ``[B, 3, S, S]``, normalised; S a multiple of ``patch_size``.

        Returns:
            ``[B, C_l, S / stride_l, S / stride_l]`` for the strides 2, 4, 8 ..; the coarsest is
            the head's, of ``hidden_size`` channels.
        """
        x = F.relu6(self._bn0(self._conv_stem(pixels)))
        maps: list[Tensor] = []
        for block in self._blocks:
            before, x = x, block(x)
            if x.shape[-1] != before.shape[-1]:
                maps.append(before)
        return [*maps, F.relu6(self._bn1(self._conv_head(x)))]

    def forward(self, pixel_values: Tensor, **_unused: Any) -> BaseModelOutput:
        """Turn pixels ``[B, 3, S, S]`` into the last map as tokens ``[B, n * n, C]``, row by row.

        There is no class token.
        """
        last = self.pyramid(pixel_values)[-1].flatten(2).transpose(1, 2)
        return BaseModelOutput(last_hidden_state=last, hidden_states=(last,))


AutoConfig.register(EfficientNetLiteConfig.model_type, EfficientNetLiteConfig, exist_ok=True)
AutoModel.register(EfficientNetLiteConfig, EfficientNetLiteModel, exist_ok=True)
