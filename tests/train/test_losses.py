"""Losses by hand."""

import numpy as np
import pytest
import torch

from geomag.model.packed import IGNORE, Packed
from geomag.train.alignment import cell_targets, row_attention
from geomag.train.losses import alignment_loss, answer_loss, bce_loss, dice_loss, n_answers
from tests.model.tiny import tiny_vlm


def test_dice_of_a_half_hit_by_hand():
    # two pixels at p = 1, two at 0; truth covers one of them: 1 - 2/(2 + 1)
    logits = torch.tensor([[[40.0, 40.0], [-40.0, -40.0]]])
    truth = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    wanted = 1 - (2 * 0.001 + 1e-6) / (0.003 + 1e-6)
    assert float(dice_loss(logits, truth)) == pytest.approx(wanted, abs=1e-6)


def at_answers(states, packed):
    """Logits of a head that changes nothing, where an answer's token is predicted."""
    return states[:, :-1][packed.labels[:, 1:] != IGNORE]


def test_every_answer_counts_alike_or_every_token_does():
    # two answers in one row, of one token and of three; the head says 0 for sure, truth is 1 or 0
    labels = torch.tensor([[IGNORE, 1, IGNORE, 0, 0, 1]])
    states = torch.zeros(1, 6, 2)
    states[..., 0] = 1.0  # logits (1, 0): -log p is a for token 0 and a + 1 for token 1
    a = float(np.log(1 + np.exp(-1)))
    nowhere = torch.zeros(1, 6, dtype=torch.bool)
    packed = Packed(states, torch.ones(1, 6), torch.arange(6)[None], nowhere, labels)
    logits = at_answers(states, packed)
    by_token = float(answer_loss(logits, packed))
    by_answer = float(answer_loss(logits, packed, mean="answer"))
    assert by_token == pytest.approx(((a + 1) + a + a + (a + 1)) / 4, abs=1e-6)
    assert by_answer == pytest.approx(((a + 1) + (3 * a + 1) / 3) / 2, abs=1e-6)
    assert [n_answers(packed, mean=m) for m in ("token", "answer")] == [4, 2]


def test_every_row_counts_alike_however_many_answers_it_has():
    # two answers of one token in the first row, one of two tokens in the second
    labels = torch.tensor([[IGNORE, 1, IGNORE, 1], [IGNORE, IGNORE, 0, 0]])
    states = torch.zeros(2, 4, 2)
    states[..., 0] = 1.0
    a = float(np.log(1 + np.exp(-1)))
    nowhere = torch.zeros(2, 4, dtype=torch.bool)
    packed = Packed(states, torch.ones(2, 4), torch.arange(4).repeat(2, 1), nowhere, labels)
    by_row = float(answer_loss(at_answers(states, packed), packed, mean="row"))
    first, second = a + 1, a
    assert by_row == pytest.approx((first + second) / 2, abs=1e-6)
    assert n_answers(packed, mean="row") == 2
    by_answer = float(answer_loss(at_answers(states, packed), packed, mean="answer"))
    assert by_answer == pytest.approx((2 * (a + 1) + a) / 3, abs=1e-6)


def test_bce_is_a_mean_over_pixels_and_weighs_the_foreground():
    logits = torch.zeros(1, 1, 4)
    truth = torch.tensor([[[1.0, 0.0, 0.0, 0.0]]])
    assert float(bce_loss(logits, truth)) == pytest.approx(np.log(2), abs=1e-6)
    weighted = float(bce_loss(logits, truth, positive_weight=5.0))
    assert weighted == pytest.approx(np.log(2) * (5 + 3) / 4, abs=1e-6)


def test_alignment_is_minus_log_of_the_mass_and_skips_rows_without_a_target():
    attention = torch.tensor([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]])
    target = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
    assert float(alignment_loss(attention, target)) == pytest.approx(-np.log(0.65), abs=1e-5)
    assert float(alignment_loss(attention, torch.zeros(2, 3))) == 0.0


def test_cells_of_a_view_say_how_much_of_the_target_they_hold():
    mask = np.zeros((8, 8), dtype=bool)
    mask[0:2, 0:3] = True  # fills the first 2x2 cell, half of the second
    whole = cell_targets(mask, (0.0, 0.0, 1.0, 1.0), 4)
    assert whole.reshape(4, 4)[0].tolist() == [1.0, 0.5, 0.0, 0.0]
    assert whole.sum() == 1.5
    right = cell_targets(mask, (0.5, 0.0, 1.0, 0.5), 2)
    assert right.tolist() == [0.0] * 4


def test_row_attention_equals_the_eager_model_s_own():
    vlm = tiny_vlm(seed=3)
    vlm.llava.set_attn_implementation("eager")
    visual = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    prompt = vlm.ids("USER: <image>\nMark the red ship. ASSISTANT:")
    packed = vlm.pack([prompt, prompt[:-2]], [visual, visual[:3]])
    with vlm.last_layer_input() as caught:
        out = vlm.language_model(
            inputs_embeds=packed.embeds,
            attention_mask=packed.mask,
            position_ids=packed.positions,
            output_attentions=True,
        )
    rows = torch.tensor([[0, packed.embeds.shape[1] - 1], [1, packed.embeds.shape[1] - 3]])
    ours = row_attention(vlm.language_model.layers[-1], caught, rows, packed.mask)
    for index, (row, at) in enumerate(rows.tolist()):
        assert torch.allclose(ours[index], out.attentions[-1][row, :, at].mean(0), atol=1e-6)
