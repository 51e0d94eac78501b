"""The sentence that random weights say, whatever the layers between do."""

import pytest
import torch

from geomag.rehearse.chain import FIRST_LOGIT, GROWTH, STREAM, Chain, sentence


@pytest.mark.parametrize("width", [64, 1024, 4096])
def test_each_token_calls_for_the_next_and_none_for_itself_or_the_one_before(width):
    chain = Chain(tuple(range(10, 22)), width)
    rows = chain.rows().double()
    norm = torch.ones(width, dtype=torch.float64)
    norm[list(chain.minus)] = -1.0
    noise = torch.full((width,), STREAM, dtype=torch.float64)
    noise[list(chain.coordinates)] = 0.0
    for step in range(len(chain.ids) - 1):
        state = rows[step] + noise
        state = norm * state / state.pow(2).mean().sqrt()
        logits = rows @ state
        assert logits.argmax() == step + 1
        assert logits[step].abs() < 1e-6 * logits[step + 1]
        if step == 0:
            assert logits[1] == pytest.approx(FIRST_LOGIT, rel=0.02)
        else:
            ratio = (1 + GROWTH * step) / (1 + GROWTH * (step - 1))
            assert logits[step + 1] / logits[step - 1] == pytest.approx(ratio)


def test_a_token_that_stands_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        Chain(sentence([7, 8, 8], last=1, new=[20, 30, 31], end=2), 64).rows()


def test_a_sentence_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="width of 16"):
        Chain(tuple(range(10)), 16).rows()
