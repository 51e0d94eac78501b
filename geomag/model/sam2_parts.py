"""SAM2's image side under SAM2's own names, so that real checkpoints load key by key.

Encoder (Hiera + FPN), prompt encoder and mask decoder are the classes of the package ``sam2``;
memory modules for video are left out. protocols/model#sam2-features.
"""

from dataclasses import dataclass

import torch
from sam2.modeling.backbones.hieradet import Hiera
from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
from sam2.modeling.position_encoding import PositionEmbeddingSine
from sam2.modeling.sam.mask_decoder import MaskDecoder
from sam2.modeling.sam.prompt_encoder import PromptEncoder
from sam2.modeling.sam.transformer import TwoWayTransformer
from torch import Tensor, nn

from geomag.model.precision import Precision

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
PLACE_FREQUENCY = 0.5
"""Scale of a click's code against SAM2's: slower waves, which a projection learns from few
masks."""
LOCALITY = 2.5
SPREAD = (0.6, 0.6, 0.35)
"""Standard deviations of the levels, fine to coarse, at the start of the decoder's training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sam2Size:
    """Shape of one SAM2 image model."""

    image_px: int
    embed_dim: int
    num_heads: int
    stages: tuple[int, int, int, int]
    global_att_blocks: tuple[int, ...]
    window_spec: tuple[int, int, int, int]
    neck_width: int
    window_background: tuple[int, int] = (7, 7)


HIERA_LARGE = Sam2Size(
    image_px=1024,
    embed_dim=144,
    num_heads=2,
    stages=(2, 6, 36, 4),
    global_att_blocks=(23, 33, 43),
    window_spec=(8, 4, 16, 8),
    neck_width=256,
)


def sample_size(*, image_px: int, embed_dim: int, neck_width: int) -> Sam2Size:
    """A small SAM2 for the sample profile; ``image_px`` must be a multiple of 32."""
    if image_px % 32:
        raise ValueError(f"encoder.image_px must be a multiple of 32, got {image_px}")
    return Sam2Size(
        image_px=image_px,
        embed_dim=embed_dim,
        num_heads=1,
        stages=(1, 1, 2, 1),
        global_att_blocks=(3,),
        window_spec=(8, 4, 4, 4),
        neck_width=neck_width,
    )


class Sam2Parts(nn.Module):
    """Image encoder, prompt encoder and mask decoder of SAM2."""

    precision: Precision = "float32"
    """Format of their products on a GPU."""

    def __init__(self, size: Sam2Size) -> None:
        super().__init__()
        self.size = size
        width = size.neck_width
        trunk = Hiera(
            embed_dim=size.embed_dim,
            num_heads=size.num_heads,
            stages=size.stages,
            global_att_blocks=size.global_att_blocks,
            window_pos_embed_bkg_spatial_size=size.window_background,
            window_spec=size.window_spec,
        )
        neck = FpnNeck(
            position_encoding=PositionEmbeddingSine(
                num_pos_feats=width, normalize=True, scale=None, temperature=10000
            ),
            d_model=width,
            backbone_channel_list=trunk.channel_list,
            fpn_top_down_levels=[2, 3],
            fpn_interp_model="nearest",
        )
        self.image_encoder = ImageEncoder(trunk=trunk, neck=neck, scalp=1)
        grid = size.image_px // 16
        self.sam_prompt_encoder = PromptEncoder(
            embed_dim=width,
            image_embedding_size=(grid, grid),
            input_image_size=(size.image_px, size.image_px),
            mask_in_chans=16,
        )
        self.sam_mask_decoder = MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=width, mlp_dim=8 * width, num_heads=8
            ),
            transformer_dim=width,
            iou_head_depth=3,
            iou_head_hidden_dim=256,
            use_high_res_features=True,
            iou_prediction_use_sigmoid=True,
            pred_obj_scores=True,
            pred_obj_scores_mlp=True,
            use_multimask_token_for_obj_ptr=True,
            dynamic_multimask_via_stability=False,  # acts in eval only: a train/eval mismatch
        )
        self.no_mem_embed = nn.Parameter(torch.zeros(1, 1, width))

    def encode(self, pixels: Tensor) -> list[Tensor]:
        """Multi-scale features ``f_img``, fine to coarse, ready for the decoder.

        Args:
            pixels: ``[B, 3, S, S]``, float, normalised with `MEAN` and `STD`, S = ``image_px``.

        Returns:
            ``[B, C/8, S/4, S/4]``, ``[B, C/4, S/8, S/8]``, ``[B, C, S/16, S/16]``.
        """
        s0, s1, coarse = self.raw_pyramid(pixels)
        decoder = self.sam_mask_decoder
        return [decoder.conv_s0(s0), decoder.conv_s1(s1), coarse]

    def raw_pyramid(self, pixels: Tensor) -> list[Tensor]:
        """FPN levels before the decoder's 1x1 convolutions, ``C`` channels each, fine to coarse."""
        s0, s1, s2 = self.image_encoder(pixels)["backbone_fpn"]
        return [s0, s1, s2 + self.no_mem_embed.reshape(1, -1, 1, 1)]

    def point_prompts(self, points: Tensor) -> Tensor:
        """Sparse prompt embeddings ``[K, 2, C]`` of one positive point each.

        Args:
            points: ``[K, 2]``, x and y in pixels of the square input.
        """
        labels = torch.ones(len(points), 1, device=points.device)
        sparse, _ = self.sam_prompt_encoder(
            points=(points[:, None, :], labels), boxes=None, masks=None
        )
        return sparse  # type: ignore[no-any-return]


@torch.no_grad()
def settle_neck(parts: Sam2Parts, pixels: Tensor) -> None:
    """Rescale the neck so that its levels have the spread the decoder was made for.

    The decoder adds positions (spread 0.7) to the coarsest level. Where the features are louder,
    a click is not heard: 180 updates to Dice 0.62 against 0.54, and a long plateau before.

    Args:
        parts: Its neck is changed.
        pixels: ``[B, 3, S, S]``, normalised: what to measure on.
    """
    convs = parts.image_encoder.neck.convs  # coarse to fine; the two coarsest are summed
    levels = parts.encode(pixels)
    for level, spread, which in zip(levels, SPREAD, ((3,), (2,), (1, 0)), strict=True):
        share = spread / float(level.std())
        for index in which:
            for tensor in convs[index].parameters():
                tensor.mul_(share)


def start_local(parts: Sam2Parts) -> None:
    """Start the cross-attentions as kernels: queries look for keys like themselves.

    A point's code then meets the pixels around it from the first update. Stock initialisation
    learns that from millions of masks; a small model on a thousand scenes does not (IoU 0.11
    against 0.44 after 400 updates).
    """
    transformer = parts.sam_mask_decoder.transformer
    cross = [transformer.final_attn_token_to_image]
    for layer in transformer.layers:
        cross += [layer.cross_attn_token_to_image, layer.cross_attn_image_to_token]
    places = parts.sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
    with torch.no_grad():
        places.mul_(PLACE_FREQUENCY)
        for attention in cross:
            attention.q_proj.weight.mul_(LOCALITY)
            attention.k_proj.weight.copy_(attention.q_proj.weight)
            attention.q_proj.bias.zero_()
            attention.k_proj.bias.zero_()


def normalise(pixels: Tensor) -> Tensor:
    """ImageNet normalisation of ``[B, 3, H, W]`` in [0, 1], as SAM2 expects it."""
    mean = pixels.new_tensor(MEAN).view(1, 3, 1, 1)
    std = pixels.new_tensor(STD).view(1, 3, 1, 1)
    return (pixels - mean) / std
