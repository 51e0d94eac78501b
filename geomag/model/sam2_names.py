"""Names of SAM2's tensors in folders of transformers, and its own."""

import re
from collections.abc import Mapping

from torch import Tensor

_THREE_LAYERS = r"(iou_prediction_head|pred_obj_score_head|output_hypernetworks_mlps\.\d+)"
RENAMES: tuple[tuple[str, str], ...] = (
    (r"^vision_encoder\.backbone\.", "image_encoder.trunk."),
    (r"^vision_encoder\.neck\.convs\.(\d+)\.", r"image_encoder.neck.convs.\1.conv."),
    (r"patch_embed\.projection\.", "patch_embed.proj."),
    (r"^no_memory_embedding$", "no_mem_embed"),
    (
        r"^prompt_encoder\.shared_embedding\.positional_embedding$",
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
    ),
    (r"\.mask_embed\.conv1\.", ".mask_downscaling.0."),
    (r"\.mask_embed\.layer_norm1\.", ".mask_downscaling.1."),
    (r"\.mask_embed\.conv2\.", ".mask_downscaling.3."),
    (r"\.mask_embed\.layer_norm2\.", ".mask_downscaling.4."),
    (r"\.mask_embed\.conv3\.", ".mask_downscaling.6."),
    (r"\.upscale_conv1\.", ".output_upscaling.0."),
    (r"\.upscale_layer_norm\.", ".output_upscaling.1."),
    (r"\.upscale_conv2\.", ".output_upscaling.3."),
    (_THREE_LAYERS + r"\.layers\.0\.", r"\1.layers.1."),
    (_THREE_LAYERS + r"\.proj_in\.", r"\1.layers.0."),
    (_THREE_LAYERS + r"\.proj_out\.", r"\1.layers.2."),
    (r"\.mlp\.proj_in\.", ".mlp.layers.0."),
    (r"\.mlp\.proj_out\.", ".mlp.layers.1."),
    (r"\.o_proj\.", ".out_proj."),
    (r"\.layer_norm_final_attn\.", ".norm_final_attn."),
    (r"\.layer_norm(\d)\.", r".norm\1."),
    (r"^(prompt_encoder|mask_decoder)\.", r"sam_\1."),
)
"""Patterns of transformers' names and what SAM2 says, applied in order."""
_POINTS = "prompt_encoder.point_embed.weight"
_SECOND = "shared_image_embedding."
"""A second name of the prompt encoder's positions."""


def is_of_transformers(state: Mapping[str, Tensor]) -> bool:
    """Whether a checkpoint has transformers' names."""
    return any(name.startswith("vision_encoder.") for name in state)


def own_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint of transformers under SAM2's own names; its table of points in four."""
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name == _POINTS:
            for number, row in enumerate(tensor):
                found[f"sam_prompt_encoder.point_embeddings.{number}.weight"] = row[None].clone()
        elif not name.startswith(_SECOND):
            found[own_name(name)] = tensor
    return found


def own_name(name: str) -> str:
    """What SAM2 calls a tensor of transformers.

    >>> own_name("vision_encoder.backbone.blocks.3.mlp.proj_out.weight")
    'image_encoder.trunk.blocks.3.mlp.layers.1.weight'
    >>> own_name("mask_decoder.iou_prediction_head.layers.0.bias")
    'sam_mask_decoder.iou_prediction_head.layers.1.bias'
    """
    for pattern, own in RENAMES:
        name = re.sub(pattern, own, name)
    return name
