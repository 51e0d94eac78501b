"""Decoding over a cache of fixed size gives what a growing one gives, token by token."""

import pytest
import torch

from geomag.model.decoding import greedy
from geomag.model.decoding_steps import FixedSteps, GrowingSteps, cache_bytes
from geomag.model.prefix import pack_shared
from tests.model.tiny import tiny_vlm

PROMPTS = (
    "USER: <image>\nMark the red ship in this image with a mask. ASSISTANT:",
    "USER: <image>\nIs a small building present? ASSISTANT:",
    "USER: <image>\nMark the bridge. ASSISTANT:",
)


def visual(count, seed=0):
    return torch.randn(count, 32, generator=torch.Generator().manual_seed(seed))


def ragged(vlm):
    prompts = [vlm.ids(prompt) for prompt in PROMPTS]
    return vlm.pack(prompts, [visual(9), visual(4), visual(16)])


def of_one_image(vlm):
    return pack_shared(vlm, [vlm.ids(prompt) for prompt in PROMPTS], [visual(9)], [0, 0, 0])


def assert_equal(one, other):
    assert one.tokens == other.tokens
    for ours, theirs in zip(one.states, other.states, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    for ours, theirs in zip(one.log_probs, other.log_probs, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize("packing", [ragged, of_one_image])
def test_a_fixed_cache_says_what_a_growing_one_says(packing):
    vlm = tiny_vlm(seed=4)
    wanted = greedy(vlm, packing(vlm), GrowingSteps(vlm), max_new_tokens=20)
    assert min(map(len, wanted.tokens)) > 2
    fixed = FixedSteps(vlm, rows=4, columns=128)  # a row and many columns more than are used
    assert_equal(greedy(vlm, packing(vlm), fixed, max_new_tokens=20), wanted)


def test_a_fixed_cache_forgets_the_batch_before():
    vlm = tiny_vlm(seed=4)
    fixed = FixedSteps(vlm, rows=4, columns=128)
    greedy(vlm, ragged(vlm), fixed, max_new_tokens=30)
    again = greedy(vlm, of_one_image(vlm), fixed, max_new_tokens=8)
    assert_equal(again, greedy(vlm, of_one_image(vlm), GrowingSteps(vlm), max_new_tokens=8))


def test_ended_rows_leave_a_growing_cache_and_stay_in_a_fixed_one():
    vlm = tiny_vlm(seed=4)
    packed = ragged(vlm)
    firsts = greedy(vlm, packed, GrowingSteps(vlm), max_new_tokens=6)
    vlm.tokenizer.eos_token = vlm.tokenizer.convert_ids_to_tokens(firsts.tokens[0][2])
    wanted = greedy(vlm, packed, GrowingSteps(vlm), max_new_tokens=6)
    assert len(wanted.tokens[0]) < 3  # ended at the word that now means the end
    fixed = FixedSteps(vlm, rows=3, columns=128)
    assert_equal(greedy(vlm, packed, fixed, max_new_tokens=6), wanted)


def test_the_bytes_of_a_cache_are_those_of_its_tensors():
    vlm = tiny_vlm()
    steps = FixedSteps(vlm, rows=4, columns=128)
    greedy(vlm, ragged(vlm), steps, max_new_tokens=2)
    held = [t for layer in steps._cache.layers for t in (layer.keys, layer.values)]
    assert cache_bytes(vlm, rows=4, columns=128) == sum(t.numel() * 4 for t in held)
