"""SAM2 from its published files: sizes by shapes, transformers' names, and what is refused."""

import pytest
import torch
from safetensors.torch import save_file
from transformers import Sam2Config, Sam2Model

from geomag.errors import WeightsError
from geomag.model.sam2_checkpoint import load_sam2
from geomag.model.sam2_parts import Sam2Parts
from geomag.model.sam2_sizes import HIERA_TINY, PUBLISHED, size_of


def shapes_of(size):
    with torch.device("meta"):
        blocks = sum(size.stages)
        state = {f"image_encoder.trunk.blocks.{n}.norm1.bias": None for n in range(blocks)}
        state["image_encoder.trunk.patch_embed.proj.weight"] = torch.empty(size.embed_dim, 3, 7, 7)
    return state


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_four_published_sizes_are_told_apart_by_their_shapes(name):
    assert size_of(shapes_of(PUBLISHED[name]), "x.pt") is PUBLISHED[name]


def test_another_size_is_refused_with_what_was_found():
    state = shapes_of(HIERA_TINY)
    del state["image_encoder.trunk.blocks.3.norm1.bias"]
    with pytest.raises(WeightsError, match=r"width 96 with 11 blocks.*tiny \(96, 12\)"):
        size_of(state, "x.pt")


def test_what_is_no_sam2_is_refused(tmp_path):
    torch.save({"model": {"weight": torch.zeros(2)}}, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match=r"x\.pt: keys \['weight'\].*a SAM2 checkpoint"):
        load_sam2(tmp_path)
    torch.save({"state": {}}, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match=r"keys \['state'\].*one entry `model`"):
        load_sam2(tmp_path / "x.pt")


def test_two_checkpoints_in_a_folder_are_refused(tmp_path):
    for name in ("a.pt", "b.pt"):
        torch.save({"model": {}}, tmp_path / name)
    with pytest.raises(WeightsError, match=r"a\.pt, b\.pt.*one checkpoint"):
        load_sam2(tmp_path)


def test_a_folder_of_transformers_equals_it_in_every_part(tmp_path):
    torch.manual_seed(1)
    theirs = Sam2Model(Sam2Config()).eval()  # its defaults are SAM2.1 hiera-tiny
    theirs.mask_decoder.dynamic_multimask_via_stability = False  # as ours (Sam2Parts)
    for parameter in theirs.parameters():  # some start at zero, which hides a wrong name
        parameter.data.normal_(std=0.05)
    theirs.save_pretrained(tmp_path)
    ours = load_sam2(tmp_path).eval()
    assert ours.size is HIERA_TINY
    pixels = torch.randn(1, 3, 256, 256)
    with torch.no_grad():
        mine = ours.image_encoder(pixels)["backbone_fpn"]
        for a, b in zip(mine, theirs.vision_encoder(pixels).fpn_hidden_states, strict=True):
            assert torch.allclose(a, b, atol=1e-4 * float(b.abs().max()))
        points = torch.tensor([[100.0, 300.0], [600.0, 20.0]])
        labels = torch.ones(1, 2, 1, dtype=torch.int)
        sparse, dense = theirs.prompt_encoder(points[None, :, None], labels, None, None)
        own = ours.point_prompts(points)
        assert torch.allclose(own, sparse[0], atol=1e-5)
        coarse = torch.randn(1, 256, 64, 64)
        fine = [torch.randn(1, 32, 256, 256), torch.randn(1, 64, 128, 128)]
        places = ours.sam_prompt_encoder.get_dense_pe()
        masks, _, _, _ = theirs.mask_decoder(
            image_embeddings=coarse,
            image_positional_embeddings=places,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
            high_resolution_features=fine,
        )[:4]
        said = ours.sam_mask_decoder(
            image_embeddings=coarse,
            image_pe=places,
            sparse_prompt_embeddings=own,
            dense_prompt_embeddings=dense.expand(2, -1, -1, -1),
            multimask_output=False,
            repeat_image=True,
            high_res_features=fine,
        )[0]
    assert torch.allclose(said[:, 0], masks[0, :, 0], atol=1e-3 * float(masks.abs().max()))


def test_a_file_of_our_own_names_with_a_missing_tensor_is_refused_by_name(tmp_path):
    state = Sam2Parts(HIERA_TINY).state_dict()
    del state["no_mem_embed"]
    save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "sam2.safetensors")
    with pytest.raises(WeightsError, match=r"missing \['no_mem_embed'\]"):
        load_sam2(tmp_path)
