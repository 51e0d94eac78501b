"""The network's own forward pass: shapes, what is drawn, and what trains."""

import pytest
import torch

from geomag.data.prompts import with_seg_groups
from geomag.model.packing import QuestionIds
from geomag.model.training_pass import BatchPart, TrainingBatch
from tests.model.whole import tiny_geomag


def batch(model, answers, *, rows=1):
    ids = QuestionIds(model.vlm)
    n_seg = len(model.seg_names)
    questions = [
        [ids.question("Mark it.", with_seg_groups(answer, n_seg)) for answer in answers]
    ] * rows
    generator = torch.Generator().manual_seed(0)
    visual = [torch.randn(9, model.vlm.width, generator=generator) for _ in range(rows)]
    n_masks = rows * sum(answer.count("[SEG]") for answer in answers)
    side = model.sam.size.image_px
    seen = model.sam.encode(torch.randn(1, 3, side, side, generator=generator))
    features = [level.expand(n_masks, -1, -1, -1) for level in seen] if n_masks else []
    return TrainingBatch(ids.head, [BatchPart(visual, questions)], features), questions


def test_answers_get_logits_and_each_group_a_mask():
    model = tiny_geomag()
    given, questions = batch(model, ["It is [SEG].", "no", "[SEG] and [SEG]"], rows=2)
    output = model(given)
    (part,) = output.parts
    tokens = [token for row in questions for question in row for token in question.answer]
    assert part.logits.shape == (len(tokens), model.vlm.lm_head.weight.shape[0])
    quarter = model.sam.size.image_px // 4
    assert output.mask_logits.shape == (6, quarter, quarter)
    assert output.prompts.shape == (6, 1, model.sam.size.neck_width)
    assert part.rows.packed.labels[part.rows.packed.labels >= 0].tolist() == tokens


def test_logits_and_masks_are_those_of_the_parts_that_make_them():
    model = tiny_geomag()
    given, _ = batch(model, ["It is [SEG]."])
    output = model(given)
    (part,) = output.parts
    states = model.vlm.states(part.rows.packed)
    assert torch.equal(part.logits, model.vlm.answer_logits(states, part.rows.packed))
    ((row, column),) = part.groups.tolist()
    h_seg = states[row, column - 1 : column - 1 + len(model.seg_names)][None]
    expected = model.mask_logits(h_seg, list(given.features))
    assert torch.allclose(output.mask_logits, expected, atol=1e-5)


def test_where_nothing_is_drawn_there_are_words_alone():
    model = tiny_geomag()
    output = model(batch(model, ["yes", "no"])[0])
    assert output.mask_logits is None
    assert output.prompts is None


@pytest.mark.parametrize("kind", ["sam2_ms", "per_level", "single"])
def test_what_trains_is_what_a_mask_or_a_word_depends_on(kind):
    model = tiny_geomag(decoder={"kind": kind})
    trained = model.trainable_parameters()
    for tensor in model.parameters():
        tensor.requires_grad_(True)
    given, _ = batch(model, ["It is [SEG]."])
    if kind == "per_level":
        side = model.sam.size.image_px
        pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))
        levels = model.sam.raw_pyramid(pixels)
        given = TrainingBatch(given.head, given.parts, [level.detach() for level in levels])
    else:
        given = TrainingBatch(given.head, given.parts, [f.detach() for f in given.features])
    output = model(given)
    (output.mask_logits.square().sum() + output.parts[0].logits.square().sum()).backward()
    reached = {n for n, p in model.decoder.named_parameters() if p.grad is not None}
    assert reached == {
        name.removeprefix("decoder.") for name in trained if name.startswith("decoder.")
    }
