"""Weights at rest: strict, digested, and equal to what Hugging Face's own classes compute."""

import pytest
import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import (
    LlavaForConditionalGeneration,
    Sam2HieraDetConfig,
    Sam2VisionConfig,
    Sam2VisionModel,
)

from geomag.config import load_profile, override
from geomag.errors import WeightsError
from geomag.io import read_json, write_json
from geomag.manifest import read_manifest
from geomag.model.adapter import attach_adapter, load_adapter, save_adapter
from geomag.model.pins import pin_base
from geomag.model.sam2_checkpoint import load_sam2
from geomag.model.sam2_parts import Sam2Parts, sample_size
from geomag.model.weights import load_base, load_vlm, save_base
from tests.model.tiny import tiny_vlm, tiny_vlm_config


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
        assert torch.equal(tensor.half().float(), loaded.llava.state_dict()[name]), name
    for name, tensor in sam.state_dict().items():
        assert torch.equal(tensor.half().float(), encoder.state_dict()[name]), name
    assert read_manifest(tmp_path / "base", verify=True)["digest"] == digest
    save_file({"x": torch.zeros(1)}, tmp_path / "base" / "encoder" / "sam2.safetensors")
    with pytest.raises(WeightsError, match=r"sam2\.safetensors"):
        read_manifest(tmp_path / "base", verify=True)


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


def sharded(folder, vlm):
    """A LLaVA folder as the hub gives it: shards and their index."""
    vlm.llava.save_pretrained(folder, max_shard_size="150KB")
    vlm.tokenizer.save_pretrained(folder)
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 2
    return shards


def test_shards_come_back_equal_and_stock_peft_answers_as_ours_on_stock_llava(tmp_path):
    vlm = tiny_vlm()
    sharded(tmp_path / "llava", vlm)
    ours = load_vlm(tmp_path / "llava")
    for name, tensor in vlm.llava.state_dict().items():
        assert torch.equal(tensor, ours.llava.state_dict()[name]), name
    config = load_profile("sample").adapter
    ids = attach_adapter(vlm, config)
    with torch.no_grad():
        for number, tensor in enumerate(p for p in vlm.peft.parameters() if p.requires_grad):
            tensor.add_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(number)))
    save_adapter(vlm, tmp_path / "adapter")
    load_adapter(ours, tmp_path / "adapter", config)
    stock = PeftModel.from_pretrained(
        LlavaForConditionalGeneration.from_pretrained(tmp_path / "llava"), tmp_path / "adapter"
    ).eval()
    text = [5, *[ours.image_id] * 16, 9, ids[0], ids[1]]
    pixels = torch.randn(1, 3, 56, 56, generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": torch.tensor([text]), "pixel_values": pixels}
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    with torch.no_grad():
        wanted, plain = stock(**inputs).logits, ours.llava(**inputs).logits
        with ours.base_weights():
            base = ours.llava(**inputs).logits
    assert torch.allclose(wanted, plain, atol=1e-5)
    assert not torch.allclose(base, plain, atol=1e-2)


def test_a_lost_shard_is_refused(tmp_path):
    shards = sharded(tmp_path, tiny_vlm())
    shards[1].unlink()
    with pytest.raises(WeightsError, match=rf"{shards[1].name}: no such file"):
        load_vlm(tmp_path)


def pinned(tmp_path, sam):
    sides = {"image_px": tiny_vlm_config().image_px, "patch_px": tiny_vlm_config().patch_px}
    sharded(tmp_path / "llava", tiny_vlm())
    encoder = sam_folder(tmp_path, sam, sam.state_dict())
    profile = override(
        load_profile("paper"),
        device="cpu",
        vlm={"path": str(tmp_path / "llava"), "dtype": "float32", **sides},
        encoder={"path": str(encoder)},
        text_encoder={"path": load_profile("sample").text_encoder.path},
    )
    pin_base(tmp_path / "base", profile)
    return profile


def test_pinned_weights_load_and_a_changed_byte_is_refused_by_name(tmp_path, sam):
    profile = pinned(tmp_path, sam)
    vlm, encoder = load_base(tmp_path / "base", profile)
    assert torch.equal(vlm.lm_head.weight, tiny_vlm().lm_head.weight)
    assert torch.equal(encoder.no_mem_embed, sam.no_mem_embed)
    shard = sorted((tmp_path / "llava").glob("model-*.safetensors"))[-1]
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"{shard.name}: sha256 .*as pinned.*fetch it again"):
        load_base(tmp_path / "base", profile)


def test_weights_that_see_another_size_than_the_profile_says_are_refused(tmp_path, sam):
    profile = override(pinned(tmp_path, sam), vlm={"image_px": 336})
    with pytest.raises(WeightsError, match=r"image_size: 56.*Wanted: vlm\.image_px 336"):
        pin_base(tmp_path / "other", profile)


def test_a_file_that_the_manifest_does_not_know_is_refused(tmp_path, sam):
    profile = pinned(tmp_path, sam)
    save_file({"x": torch.zeros(1)}, tmp_path / "llava" / "model-99.safetensors")
    with pytest.raises(WeightsError, match=r"model-99\.safetensors.*absent, as pinned"):
        load_base(tmp_path / "base", profile)


def test_a_changed_tokenizer_processor_or_text_encoder_is_refused_by_name(tmp_path, sam):
    profile = pinned(tmp_path, sam)
    manifest = read_json(tmp_path / "base" / "manifest.json")
    assert {"config.json", "tokenizer.json"} <= manifest["vlm"]["sha256"].keys()
    assert "vocab.txt" in manifest["text_encoder"]["sha256"]
    path = tmp_path / "llava" / "tokenizer_config.json"
    before = path.read_text()
    path.write_text(before.replace("<pad>", "<paid>"))
    with pytest.raises(WeightsError, match=r"tokenizer_config\.json: sha256 .*as pinned"):
        load_base(tmp_path / "base", profile)
    path.write_text(before)
    load_base(tmp_path / "base", profile)
    (tmp_path / "llava" / "added_tokens.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"added_tokens\.json.*absent, as pinned"):
        load_base(tmp_path / "base", profile)


def test_a_manifest_of_weights_alone_is_held_against_weights_alone(tmp_path, sam):
    profile = pinned(tmp_path, sam)
    path = tmp_path / "base" / "manifest.json"
    parts = read_json(path)
    for part in parts.values():
        part["sha256"] = {
            name: digest
            for name, digest in part["sha256"].items()
            if name.endswith((".safetensors", ".pt"))
        }
    write_json(path, parts)
    load_base(tmp_path / "base", profile)
