"""Weights at rest: strict, digested, and equal to what Hugging Face's own classes compute."""

import pytest
import torch
from safetensors.torch import save_file
from transformers import Sam2HieraDetConfig, Sam2VisionConfig, Sam2VisionModel

from geomag.config import load_profile
from geomag.errors import WeightsError
from geomag.io import write_json
from geomag.model.sam2_parts import Sam2Parts, sample_size
from geomag.model.weights import load_base, load_sam2, load_vlm, save_base
from geomag.sealed import sealed
from tests.model.tiny import tiny_vlm


@pytest.fixture
def sam():
    torch.manual_seed(5)
    return Sam2Parts(sample_size(image_px=64, embed_dim=16, neck_width=32)).eval()


def sam_folder(tmp_path, sam, state):
    import dataclasses

    folder = tmp_path / "sam2"
    folder.mkdir()
    write_json(folder / "config.json", dataclasses.asdict(sam.size))
    torch.save({"model": state}, folder / "sam2.pt")
    return folder


def test_a_sam2_checkpoint_loads_its_image_side_and_leaves_the_video_parts(tmp_path, sam):
    state = {**sam.state_dict(), "memory_encoder.weight": torch.zeros(3)}
    loaded = load_sam2(sam_folder(tmp_path, sam, state)).eval()
    pixels = torch.randn(1, 3, 64, 64)
    for ours, theirs in zip(loaded.encode(pixels), sam.encode(pixels), strict=True):
        assert torch.equal(ours, theirs)


def test_a_checkpoint_without_a_key_is_refused_by_name(tmp_path, sam):
    state = sam.state_dict()
    del state["no_mem_embed"]
    with pytest.raises(WeightsError, match="no_mem_embed"):
        load_sam2(sam_folder(tmp_path, sam, state))


def test_f16_a_malicious_checkpoint_runs_nothing(tmp_path, sam):
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self):
            return (canary.write_text, ("run",))

    folder = sam_folder(tmp_path, sam, {})
    torch.save({"model": Evil()}, folder / "sam2.pt")
    with pytest.raises(Exception, match=r"weights_only|WeightsUnpickler|Unsupported"):
        load_sam2(folder)
    assert not canary.exists()


def test_the_encoder_equals_transformers_sam2_under_renamed_keys(sam):
    size = sam.size
    config = Sam2VisionConfig(
        backbone_config=Sam2HieraDetConfig(
            hidden_size=size.embed_dim,
            num_attention_heads=size.num_heads,
            blocks_per_stage=list(size.stages),
            embed_dim_per_stage=[16, 32, 64, 128],
            num_attention_heads_per_stage=[1, 2, 4, 8],
            window_size_per_stage=list(size.window_spec),
            global_attention_blocks=list(size.global_att_blocks),
            window_positional_embedding_background_size=list(size.window_background),
            image_size=[64, 64],
        ),
        backbone_channel_list=[128, 64, 32, 16],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=size.neck_width,
    )
    theirs = Sam2VisionModel(config).eval()
    renames = (
        ("trunk.", "backbone."),
        ("patch_embed.proj", "patch_embed.projection"),
        (".norm1.", ".layer_norm1."),
        (".norm2.", ".layer_norm2."),
        ("mlp.layers.0", "mlp.proj_in"),
        ("mlp.layers.1", "mlp.proj_out"),
        (".conv.", "."),
    )
    state = {}
    for key, value in sam.image_encoder.state_dict().items():
        for old, new in renames:
            key = key.replace(old, new)
        state[key] = value
    theirs.load_state_dict(state)
    pixels = torch.randn(2, 3, 64, 64)
    ours = sam.image_encoder(pixels)["backbone_fpn"]
    with torch.no_grad():
        for a, b in zip(ours, theirs(pixels).fpn_hidden_states, strict=True):
            assert torch.allclose(a, b, atol=1e-6)


def test_base_models_come_back_equal_and_a_changed_file_is_refused(tmp_path, sam):
    vlm = tiny_vlm()
    digest = save_base(tmp_path / "base", vlm, sam)
    profile = load_profile("sample")
    loaded, encoder = load_base(tmp_path / "base", profile)
    for name, tensor in vlm.llava.state_dict().items():
        assert torch.equal(tensor, loaded.llava.state_dict()[name]), name
    assert torch.equal(encoder.no_mem_embed, sam.no_mem_embed)
    assert sealed(tmp_path / "base", verify=True)["digest"] == digest
    save_file({"x": torch.zeros(1)}, tmp_path / "base" / "encoder" / "sam2.safetensors")
    with pytest.raises(WeightsError, match=r"sam2\.safetensors"):
        sealed(tmp_path / "base", verify=True)


def test_a_llava_folder_without_a_tensor_is_refused(tmp_path):
    vlm = tiny_vlm()
    state = vlm.llava.state_dict()
    dropped = "model.multi_modal_projector.linear_1.weight"
    vlm.llava.save_pretrained(tmp_path, state_dict={k: v for k, v in state.items() if k != dropped})
    vlm.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=r"multi_modal_projector\.linear_1"):
        load_vlm(tmp_path)


def test_an_unfinished_folder_is_refused(tmp_path):
    (tmp_path / "base").mkdir()
    with pytest.raises(WeightsError, match=r"complete\.json"):
        load_base(tmp_path / "base", load_profile("sample"))
