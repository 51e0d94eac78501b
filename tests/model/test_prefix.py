"""An image that is read once for many questions gives the answers and maps of one read for each."""

import pytest
import torch

from geomag.magcrop.heatmap import ProbeInputs, heatmap
from geomag.model.prefix import distinct, pack_shared
from tests.model.tiny import tiny_vlm

PROMPTS = [
    "USER: <image>\nMark the red ship in this image with a mask. ASSISTANT:",
    "USER: <image>\nIs a small building present? ASSISTANT:",
    "USER: <image>\nship? ASSISTANT:",
    "USER: <image>\nIs the large white storage tank next to the bridge? ASSISTANT:",
]
OWNERS = [0, 1, 1, 0]


@pytest.fixture(scope="module")
def vlm():
    return tiny_vlm(seed=4)


@pytest.fixture(scope="module")
def visual():
    draw = torch.Generator().manual_seed(2)
    return [torch.randn(n, 32, generator=draw) for n in (16, 9)]


def packs(vlm, visual):
    prompts = [vlm.ids(prompt) for prompt in PROMPTS]
    shared = pack_shared(vlm, prompts, visual, OWNERS)
    return shared, vlm.pack(prompts, [visual[owner] for owner in OWNERS])


def test_answers_and_states_are_those_of_rows_that_read_the_image_themselves(vlm, visual):
    shared, apart = packs(vlm, visual)
    assert shared.embeds.shape[1] < apart.embeds.shape[1] - 9
    one, other = (vlm.generate(packed, max_new_tokens=6) for packed in (shared, apart))
    assert one.tokens == other.tokens
    assert any(len(tokens) > 1 for tokens in one.tokens)
    for a, b in zip(one.states, other.states, strict=True):
        assert torch.allclose(a, b, atol=2e-5)


@pytest.mark.parametrize("layer", [-1, 0, 1])
def test_maps_are_those_of_rows_that_read_the_image_themselves(vlm, visual, layer):
    one, other = (
        heatmap(vlm, ProbeInputs(p.embeds, p.image_columns, p.mask, p.past), layer=layer)
        for p in packs(vlm, visual)
    )
    assert one.n_image_tokens.tolist() == [16, 9, 9, 16]
    assert one.targets.tolist() == other.targets.tolist()
    assert (one.values - other.values).abs().max() <= 1e-4 * other.values.max()


def test_the_images_keys_outlive_what_is_generated_from_them(vlm, visual):
    shared, _ = packs(vlm, visual)
    before = [(keys.clone(), values.clone()) for keys, values in shared.past]
    first = vlm.generate(shared, max_new_tokens=5)
    for kept, past in zip(before, shared.past, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(kept, past, strict=True))
    assert vlm.generate(shared, max_new_tokens=5).tokens == first.tokens


def test_where_no_image_is_shared_the_rows_are_packed_as_ever(vlm, visual):
    prompts = [vlm.ids(prompt) for prompt in PROMPTS[:2]]
    packed = pack_shared(vlm, prompts, visual, [1, 0])
    assert packed.past is None
    assert torch.equal(packed.embeds, vlm.pack(prompts, visual[::-1]).embeds)


def test_prompts_that_begin_differently_are_refused(vlm, visual):
    prompts = [vlm.ids(PROMPTS[0]), vlm.ids("Hello. " + PROMPTS[1])]
    with pytest.raises(ValueError, match="2 different texts stand before"):
        pack_shared(vlm, prompts, visual[:1], [0, 0])


def test_distinct_keeps_the_order_of_first_appearance():
    assert distinct([7, 3, 7, 9, 3]) == ([0, 1, 3], [0, 1, 0, 2, 1])
    assert distinct([]) == ([], [])


def say(vlm, rows):
    """Make the head say ``rows`` (one list of tokens each) and count the forwards' batch sizes."""
    end, sizes = vlm.tokenizer.eos_token_id, []
    model, real = vlm.language_model, vlm.language_model.forward
    vocabulary = vlm.lm_head.weight.shape[0]
    words = {i: [*tokens, end] for i, tokens in enumerate(rows)}
    live = list(words)

    def forward(**inputs):
        sizes.append(len(inputs["inputs_embeds"]))
        return real(**inputs)

    def head(hidden):
        nonlocal live
        if len(hidden) < len(live):  # the batch was cut down to the rows that go on
            live = [i for i in live if words[i]]
        logits = torch.zeros(len(hidden), vocabulary)
        for place, i in enumerate(live):
            logits[place, words[i].pop(0) if words[i] else 7] = 1.0
        return logits

    model.forward, vlm.lm_head.forward = forward, head
    return sizes


def test_ended_rows_leave_the_batch_and_nothing_runs_past_the_last_token(visual):
    vlm = tiny_vlm()
    prompts = [vlm.ids(prompt) for prompt in PROMPTS]
    packed = vlm.pack(prompts, [visual[0]] * 4)
    rows = [[10], [10, 11, 12, 13, 14], [10], [10, 11, 12]]
    sizes = say(vlm, rows)
    made = vlm.generate(packed, max_new_tokens=12)
    assert made.tokens == rows
    assert [len(states) for states in made.states] == [1, 5, 1, 3]
    # prefill; all four say 10; two end there; one more ends after three tokens
    assert sizes == [4, 4, 2, 2, 1, 1]


def test_the_last_token_allowed_costs_no_forward_of_its_own(visual):
    vlm = tiny_vlm()
    packed = vlm.pack([vlm.ids(PROMPTS[0])], visual[:1])
    sizes = say(vlm, [[10] * 9])
    assert len(vlm.generate(packed, max_new_tokens=3).tokens[0]) == 3
    assert len(sizes) == 3
