"""Turns that share an image equal rows of their own."""

from dataclasses import replace

import torch

from geomag.model.packing import PackedQuestion, _may_look, pack_questions
from geomag.train.losses import answer_loss
from tests.model.tiny import tiny_vlm


def test_turns_of_one_row_equal_rows_of_their_own():
    vlm = tiny_vlm(seed=2)
    generator = torch.Generator().manual_seed(0)
    visual = [torch.randn(n, 32, generator=generator) for n in (9, 4)]
    head = vlm.ids("USER: <image>")[:-1]
    texts = [
        ["\nIs a small building present? ASSISTANT:", "\nthe red ship ASSISTANT:"],
        ["\nthe bridge ASSISTANT:"],
    ]
    questions = [[PackedQuestion(vlm.ids(t), vlm.ids("yes no")) for t in row] for row in texts]
    together = pack_questions(vlm, head, visual, questions)
    states = vlm.states(together.packed)
    single_losses = []
    found = 0
    for row, tokens in zip(questions, visual, strict=True):
        for question in row:
            prompt = [*head, vlm.image_id, *question.question]
            alone = vlm.pack([prompt], [tokens], [list(question.answer)])
            one = vlm.states(alone)
            r, c = together.last_prompt[found].tolist()
            at = one.shape[1] - len(question.answer) - 1
            assert torch.allclose(states[r, c], one[0, at], atol=1e-5)
            single_losses.append(answer_loss(vlm.answer_logits(one, alone), alone))
            found += 1
    shared = answer_loss(vlm.answer_logits(states, together.packed), together.packed)
    assert torch.allclose(shared, torch.stack(single_losses).mean(), atol=1e-5)


def test_one_turn_a_row_needs_no_mask_and_gives_the_same_states():
    vlm = tiny_vlm(seed=2)
    generator = torch.Generator().manual_seed(0)
    visual = [torch.randn(n, 32, generator=generator) for n in (9, 4)]
    head = vlm.ids("USER: <image>")[:-1]
    texts = ("\nIs a small building present? ASSISTANT:", "\nthe bridge ASSISTANT:")
    questions = [[PackedQuestion(vlm.ids(text), vlm.ids("yes no"))] for text in texts]
    packed = pack_questions(vlm, head, visual, questions).packed
    assert packed.mask.shape == packed.positions.shape
    assert bool(packed.mask.all())
    is_real = packed.positions > 0
    block = is_real.long() - 1  # padding sees itself alone
    block[:, 0] = 0
    explicit = replace(packed, mask=_may_look(block))
    ours, theirs = vlm.states(packed), vlm.states(explicit)
    assert torch.allclose(ours[is_real], theirs[is_real], atol=1e-5)
    assert torch.allclose(
        answer_loss(vlm.answer_logits(ours, packed), packed),
        answer_loss(vlm.answer_logits(theirs, explicit), explicit),
    )
