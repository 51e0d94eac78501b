"""Eq 4 against eager autograd on a tiny LLaVA (protocols/model#one-row)."""

import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model

from geomag.bench.naive_probe import naive_backward, naive_gradients
from geomag.magcrop.heatmap import ProbeInputs, heatmap, probe
from tests.magcrop.naive import eager_heatmap
from tests.magcrop.tiny import Source, left_padded, prompt_inputs, tiny_llava

REL = 1e-4  # protocols/model#one-row: float32, two orders of summation


@pytest.fixture(scope="module")
def model():
    return tiny_llava()


def assert_same_map(ours: torch.Tensor, wanted: torch.Tensor, rel: float = REL) -> None:
    assert wanted.max() > 0
    assert (ours - wanted).abs().max() <= rel * wanted.max()


@pytest.mark.parametrize("layer", [-1, 3, 2, 1, 0])
@pytest.mark.parametrize("loss", ["log_p", "ce_literal", "logit"])
def test_the_map_equals_eager_autograd_at_every_layer(model, layer, loss):
    inputs = prompt_inputs(model)
    ours = heatmap(Source.of(model), inputs, layer=layer, loss=loss)
    assert_same_map(ours.values, eager_heatmap(Source.of(model), inputs, layer=layer, loss=loss))


def test_heads_merge_by_maximum(model):
    inputs = prompt_inputs(model)
    ours = heatmap(Source.of(model), inputs, heads="max").values
    assert_same_map(ours, eager_heatmap(Source.of(model), inputs, heads="max"))
    assert not torch.allclose(ours, heatmap(Source.of(model), inputs).values)


def test_grouped_query_heads_are_repeated():
    model = tiny_llava(kv_heads=2)
    inputs = prompt_inputs(model)
    for layer in (-1, 1):
        ours = heatmap(Source.of(model), inputs, layer=layer).values
        assert_same_map(ours, eager_heatmap(Source.of(model), inputs, layer=layer))


def test_only_the_last_row_of_the_last_layer_has_a_gradient(model):
    inputs = prompt_inputs(model)
    _, last, _ = naive_gradients(Source.of(model), inputs, layer=-1)
    _, middle, _ = naive_gradients(Source.of(model), inputs, layer=1)
    assert (last[:, :, :-1] == 0).all()
    assert (last[:, :, -1] != 0).any()
    assert (middle[:, :, :-1] != 0).any()


def test_a_full_backward_pass_gives_the_same_gradient(model):
    lone = copy.deepcopy(model)
    attention, gradient = naive_backward(Source.of(lone), prompt_inputs(lone))
    by_grad = naive_gradients(Source.of(model), prompt_inputs(model), layer=-1)
    assert torch.allclose(attention, by_grad[0])
    assert torch.allclose(gradient, by_grad[1])


def test_the_sign_of_the_loss_decides_the_map(model):
    inputs = prompt_inputs(model)
    raises = heatmap(Source.of(model), inputs, loss="log_p").values[0]
    lowers = heatmap(Source.of(model), inputs, loss="ce_literal").values[0]
    assert raises.argmax() != lowers.argmax()


def test_the_target_is_the_greedy_next_token_or_the_one_given(model):
    inputs = prompt_inputs(model)
    greedy = heatmap(Source.of(model), inputs)
    _, _, wanted = naive_gradients(Source.of(model), inputs, layer=-1)
    assert greedy.targets.tolist() == wanted.tolist()
    other = torch.tensor([(int(wanted[0]) + 1) % 300])
    taught = heatmap(Source.of(model), inputs, targets=other)
    assert taught.targets.tolist() == other.tolist()
    assert not torch.allclose(taught.values, greedy.values)


@pytest.mark.parametrize("layer", [-1, 1])
def test_a_left_padded_batch_equals_single_runs(model, layer):
    items = [prompt_inputs(model, n_text=n, seed=n) for n in (9, 5, 14)]
    batch = heatmap(Source.of(model), left_padded(items), layer=layer)
    for row, item in zip(batch.values, items, strict=True):
        assert_same_map(row, heatmap(Source.of(model), item, layer=layer).values[0])


def test_ragged_image_tokens_equal_single_runs(model):
    items = [prompt_inputs(model, n_image=n, seed=n) for n in (16, 4, 9)]
    batch = heatmap(Source.of(model), left_padded(items))
    assert batch.n_image_tokens.tolist() == [16, 4, 9]
    for row, item, n in zip(batch.values, items, (16, 4, 9), strict=True):
        assert_same_map(row[:n], heatmap(Source.of(model), item).values[0])
        assert (row[n:] == 0).all()


def test_a_layer_that_is_eager_on_its_own_is_refused(model):
    lone = copy.deepcopy(model)
    attention = lone.model.language_model.layers[-1].self_attn
    attention.config = copy.copy(attention.config)
    attention.config._attn_implementation = "eager"
    with pytest.raises(ValueError, match=r"layers \[3\] are set to eager attention.*causal mask"):
        heatmap(Source.of(lone), prompt_inputs(lone))


def test_eager_everywhere_gives_the_same_map(model):
    inputs = left_padded([prompt_inputs(model, n_text=n, seed=n) for n in (9, 5)])
    eager = copy.deepcopy(model)
    eager.set_attn_implementation("eager")
    wanted = heatmap(Source.of(model), inputs).values
    assert_same_map(heatmap(Source.of(eager), inputs).values, wanted)


def test_a_training_model_and_right_padding_are_refused(model):
    inputs = prompt_inputs(model)
    training = copy.deepcopy(model).train()
    with pytest.raises(ValueError, match="evaluation mode"):
        heatmap(Source.of(training), inputs)
    mask = torch.ones(inputs.embeds.shape[:2])
    mask[:, -1] = 0
    with pytest.raises(ValueError, match="pad on the left"):
        ProbeInputs(inputs.embeds, inputs.image_columns, mask)


def test_an_adapter_changes_the_map_and_disabling_it_restores_the_base(model):
    inputs = prompt_inputs(model)
    base = heatmap(Source.of(model), inputs).values
    adapted = get_peft_model(
        copy.deepcopy(model),
        LoraConfig(
            r=2,
            init_lora_weights=False,
            target_modules=r".*language_model\.layers\.\d+\.self_attn\.(q_proj|v_proj)",
        ),
    ).eval()
    inner = adapted.base_model.model
    changed = heatmap(Source.of(inner), inputs).values
    assert_same_map(changed, eager_heatmap(Source.of(inner), inputs))
    assert not torch.allclose(changed, base)
    with adapted.disable_adapter():
        assert torch.equal(heatmap(Source.of(inner), inputs).values, base)


def test_the_probe_leaves_no_gradient_behind(model):
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    heatmap(Source.of(model), prompt_inputs(model))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_maps_are_row_major_and_must_fill_the_grid(model):
    inputs = prompt_inputs(model)
    flat = heatmap(Source.of(model), inputs).values[0]
    maps = probe(Source.of(model), inputs, grid=(4, 4))
    assert maps[0, 1, 2] == flat[1 * 4 + 2]
    with pytest.raises(ValueError, match=r"\[16\] image tokens do not fill a map of 5 x 4"):
        probe(Source.of(model), inputs, grid=(5, 4))
