"""A composed VLM equals its parts, and goes through LLaVA's code like any other."""

import json

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
    LlavaConfig,
    LlavaForConditionalGeneration,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from geomag.config import load_profile, override
from geomag.config.schema import AdapterConfig
from geomag.errors import ConfigError, WeightsError
from geomag.magcrop.heatmap import ProbeInputs, probe
from geomag.model.adapter import adapter_parameters, attach_adapter
from geomag.model.compose import join, load_language, load_tower
from geomag.model.vision import tower_features, visual_tokens
from geomag.model.weights import load_vlm, save_composed
from tests.model.parts import tiny_composed, tiny_language, tiny_tower

PROMPT = "USER: <image>\nIs a small building present? ASSISTANT:"
WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]])


def pixels(side=32, seed=3):
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


def test_text_through_the_composed_model_has_the_language_models_own_logits():
    language, tokenizer = tiny_language()
    ids = torch.tensor([tokenizer.encode("the large white storage tank")])
    alone = language(ids).logits
    vlm = join(language, tokenizer, tiny_tower(), seed=0)
    joined = vlm.llava(input_ids=ids).logits
    assert torch.allclose(joined[..., : alone.shape[-1]], alone, atol=1e-6)
    assert joined.shape[-1] % 64 == 0
    assert joined.shape[-1] > alone.shape[-1]


def test_image_tokens_are_the_towers_own_features_row_by_row():
    vlm = tiny_composed()
    tower = vlm.llava.model.vision_tower
    given = (255 * pixels() - 127) / 128  # how EfficientNet-Lite was trained on pixels
    last = tower.pyramid(given)[-1]
    found = tower_features(vlm.llava.model, pixels(), WHOLE)
    assert found.shape == (1, 16, 24)
    assert torch.allclose(found[0].reshape(4, 4, 24), last[0].permute(1, 2, 0), atol=1e-5)


def test_the_tower_stays_in_evaluation_mode_while_the_model_around_it_trains():
    vlm = tiny_composed()
    before = tower_features(vlm.llava.model, pixels(), WHOLE)
    vlm.train()
    assert torch.equal(tower_features(vlm.llava.model, pixels(), WHOLE), before)


def test_a_view_of_another_side_has_that_many_tokens():
    vlm = tiny_composed()
    assert visual_tokens(vlm.llava.model, pixels(16), WHOLE).shape == (1, 4, 32)
    assert visual_tokens(vlm.llava.model, pixels(32), WHOLE, pooled=2).shape == (1, 4, 32)


@pytest.mark.parametrize("kind", ["siglip", "dinov2", "clip"])
def test_encoders_of_transformers_give_their_own_patch_features(kind, tmp_path):
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    }
    torch.manual_seed(0)
    tower = {
        "siglip": lambda: SiglipVisionModel(SiglipVisionConfig(intermediate_size=48, **sizes)),
        "dinov2": lambda: Dinov2Model(Dinov2Config(mlp_ratio=2, **sizes)),
        "clip": lambda: CLIPVisionModel(CLIPVisionConfig(intermediate_size=48, **sizes)),
    }[kind]()
    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    tower.eval().save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": mean, "image_std": std})
    )
    language, tokenizer = tiny_language()
    vlm = join(language, tokenizer, load_tower(tmp_path), seed=0)
    shape = (1, 3, 1, 1)
    given = (pixels(28) - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)
    states = tower(given, output_hidden_states=True).hidden_states
    stock = states[-1] if kind == "siglip" else states[-2][:, 1:]
    assert torch.allclose(tower_features(vlm.llava.model, pixels(28), WHOLE), stock, atol=1e-5)


def test_a_saved_model_comes_back_as_llava_to_the_bit_but_the_language_model_in_half(tmp_path):
    vlm = tiny_composed()
    profile = override(load_profile("sample"), vlm={"path": "", "language": "a", "vision": "b"})
    save_composed(tmp_path / "base", vlm, profile)
    back = load_vlm(tmp_path / "base" / "vlm").eval()
    assert torch.equal(
        tower_features(back.llava.model, pixels(), WHOLE),
        tower_features(vlm.llava.model, pixels(), WHOLE),
    )
    vlm.llava.float()  # saving has rounded the language model to half precision
    for one, other in zip(vlm.llava.parameters(), back.llava.parameters(), strict=True):
        assert torch.equal(one, other)
    assert back.decode(back.ids("the red ship")) == "the red ship"


def test_eq_4_equals_the_gradient_of_eager_attention_on_grouped_heads():
    vlm = tiny_composed()
    tokens = visual_tokens(vlm.llava.model, pixels(), WHOLE)
    packed = vlm.pack([vlm.ids(PROMPT)], list(tokens))
    ours = probe(vlm, ProbeInputs(packed.embeds, packed.image_columns, packed.mask), grid=(4, 4))
    vlm.llava.set_attn_implementation("eager")
    embeds = packed.embeds.detach().requires_grad_(True)
    out = vlm.llava.model.language_model(inputs_embeds=embeds, output_attentions=True)
    logits = vlm.llava.lm_head(out.last_hidden_state[:, -1])
    (slope,) = torch.autograd.grad(logits.log_softmax(-1).max(), out.attentions[-1])
    row = (slope.relu() * out.attentions[-1])[0, :, -1].mean(0)
    assert torch.allclose(ours.flatten(), row[packed.image_columns[0]], atol=1e-7)
    assert float(ours.sum()) > 0


def test_the_projector_trains_with_the_adapter_and_the_base_keeps_its_own():
    vlm = tiny_composed()
    features = tower_features(vlm.llava.model, pixels(), WHOLE)
    base = vlm.project(features).detach()
    attach_adapter(vlm, AdapterConfig(projector=True))
    trained = [n for n in adapter_parameters(vlm) if "multi_modal_projector" in n]
    assert len(trained) == 4
    with torch.no_grad():
        for name in trained:
            adapter_parameters(vlm)[name].add_(0.1)
    assert not torch.allclose(vlm.project(features), base, atol=1e-3)
    with vlm.base_weights():
        assert torch.equal(vlm.project(features), base)


def test_language_without_vision_is_refused():
    with pytest.raises(ConfigError, match="language and vision together"):
        override(load_profile("sample"), vlm={"path": "", "language": "somewhere"})


def test_a_folder_without_a_model_is_refused_with_its_name(tmp_path):
    with pytest.raises(WeightsError, match="no language model"):
        load_language(tmp_path)
    with pytest.raises(WeightsError, match="no vision encoder"):
        load_tower(tmp_path)


def test_llava_knows_the_tower_by_its_configuration_alone(tmp_path):
    config = LlavaConfig(
        vision_config=tiny_tower().config.to_dict(),
        text_config=tiny_language()[0].config,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )
    assert type(LlavaForConditionalGeneration(config).model.vision_tower) is type(tiny_tower())
