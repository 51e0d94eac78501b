"""Joint training: samples, what moves, what stays, and that it learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from geomag.data.benchmarks import Granularity, Split, Task
from geomag.data.records import Record
from geomag.geometry import PixelBox, encode_mask
from geomag.magcrop.views import ImageView
from geomag.model.model_input import ModelInput, ModelInputs, plain_input
from geomag.train import joint
from geomag.train.joint import JointTraining
from geomag.train.loop import LoopSettings, train
from geomag.train.mixture import Drawn, Mixture
from geomag.train.samples import _point_inside, asked_together, prepare
from tests.model.whole import tiny_geomag

IMAGE = np.zeros((64, 64, 3), dtype=np.uint8)
IMAGE[8:24, 8:24] = 255


def record(task, **values):
    base = {
        "benchmark": {"referring": "rrsis_d", "gcg": "geopixeld", "roc": "dior_rsvg"}.get(
            task.value, "rsvqa_lr"
        ),
        "id": task.value,
        "split": Split.TRAIN,
        "task": task,
        "image": "x.png",
        "width": 64,
        "height": 64,
    }
    return Record(**{**base, **values})


def square(x0, y0, side):
    mask = np.zeros((64, 64), dtype=bool)
    mask[y0 : y0 + side, x0 : x0 + side] = True
    return encode_mask(mask)


RECORDS = {
    "rrsis_d": record(Task.REFERRING, text="The red ship.", masks=(square(8, 8, 16),)),
    "geopixeld": record(
        Task.GCG,
        text="See <p> a ship </p> [SEG] and <p> a dam </p> [SEG].",
        masks=(square(8, 8, 16), square(40, 40, 8)),
        phrases=("a ship", "a dam"),
    ),
    "dior_rsvg": record(Task.ROC, boxes=(PixelBox(8.0, 8.0, 24.0, 24.0),), answers=("ship",)),
    "rsvqa_lr": record(Task.VQA, text="Is a ship present?", answers=("yes",), kind="presence"),
}


def samples(model):
    return {
        name: list(prepare(model, [((one,), plain_input(IMAGE, model.profile))]))
        for name, one in RECORDS.items()
    }


def test_samples_hold_targets_in_both_frames():
    model = tiny_geomag()
    found = samples(model)
    ship = found["rrsis_d"][0]
    assert ship.truth.shape == (1, 32, 32)  # half of SAM2's 64 px
    assert ship.truth[0, 4:12, 4:12].min() == 1.0
    assert float(ship.truth.sum()) == 64.0
    assert ship.visual.shape == (16, 32)
    cells = ship.cells[0].reshape(4, 4)  # a token is 16 px: the target covers quarters of four
    assert cells[:2, :2].tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert float(cells.sum()) == 4.0
    x, y = ship.points[0].tolist()
    assert PixelBox(8, 8, 24, 24).contains(PixelBox(x, y, x + 0.1, y + 0.1))
    assert found["rsvqa_lr"][0].features == ()
    box = found["dior_rsvg"][0]
    assert box.truth.shape[0] == 0
    assert int(box.cells[0].argmax()) in (0, 1, 4, 5)


def questions(n):
    return tuple(
        record(Task.VQA, id=str(i), text=f"Is ship {i} present?", answers=(a,), kind="presence")
        for i, a in zip(range(n), ("yes", "no", "no"), strict=True)
    )


def boxes(model):
    corners = ((8.0, 8.0, 24.0, 24.0), (40.0, 40.0, 48.0, 48.0))
    asked = tuple(
        record(Task.ROC, id=str(i), boxes=(PixelBox(*box),), answers=(name,))
        for i, (box, name) in enumerate(zip(corners, ("ship", "dam"), strict=True))
    )
    (sample,) = prepare(model, [(asked, plain_input(IMAGE, model.profile))])
    return sample


def test_questions_of_an_image_that_share_their_look_are_asked_together():
    profile = tiny_geomag().profile
    whole, smaller = (
        plain_input(IMAGE, profile),
        ModelInput(IMAGE, (ImageView(None, 32),), IMAGE, None),
    )
    first, second, third = questions(3)
    masked = replace(RECORDS["rrsis_d"], id="a"), replace(RECORDS["rrsis_d"], id="b")
    other = replace(third, image="y.png")
    pairs = [(first, whole), (third, smaller), (second, whole), (other, smaller)]
    pairs += [(one, whole) for one in masked]
    found = list(asked_together(pairs))
    assert [records for records, _ in found] == [
        (first, second),
        (third,),
        (other,),
        (masked[0],),
        (masked[1],),
    ]
    assert [model_input for _, model_input in found] == [whole, smaller, smaller, whole, whole]


def test_stitched_images_of_two_windows_are_two_looks():
    profile = tiny_geomag().profile
    model_inputs = ModelInputs(profile)
    corner, middle = PixelBox(0, 0, 32, 32), PixelBox(16, 16, 48, 48)
    of = [model_inputs.of(IMAGE, Granularity.REGION, (box,)) for box in (corner, middle, corner)]
    assert of[0].views == of[1].views
    assert not np.array_equal(of[0].image, of[1].image)
    asked = questions(3)
    found = list(asked_together(zip(asked, of, strict=True)))
    assert found == [((asked[0], asked[2]), of[0]), ((asked[1],), of[1])]


def test_questions_in_one_row_teach_what_they_teach_in_rows_of_their_own():
    model = tiny_geomag()
    three = next(iter(prepare(model, [(questions(3), plain_input(IMAGE, model.profile))])))
    two = boxes(model)
    config = model.profile.train.changed(questions=3, ce_mean="answer", alignment=1.0)
    job = JointTraining.of_samples(
        model, {"rsvqa_lr": [three], "dior_rsvg": [two]}, config, model.profile.prompt
    )
    together = [d for d in job.batch(0, 12) if len(d.asked) in (2, 3)]
    assert {d.sample.task for d in together} == {Task.VQA, Task.ROC}
    apart = [Drawn(d.sample, (one,)) for d in together for one in d.asked]
    one, other = job.losses(together, together), job.losses(apart, apart)
    assert set(one) == {"total", "ce", "alignment"}
    for name, value in one.items():
        assert value.item() == pytest.approx(other[name].item(), rel=1e-4), name


def test_a_row_asks_at_most_so_many_and_every_reference_of_a_caption_is_one():
    model = tiny_geomag()
    caption = record(Task.CAPTION, benchmark="ucm_captions", answers=("a", "b", "c", "d", "e"))
    (seen,) = prepare(model, [((caption,), plain_input(IMAGE, model.profile))])
    config = model.profile.train.changed(questions=3)
    mixture = Mixture({"ucm_captions": [seen]}, config, model.profile.prompt, n_seg=3)
    rows = mixture.rows(0, 40)
    assert all(len({one.answer for one in row.asked}) == 3 for row in rows)
    assert {one.answer for row in rows for one in row.asked} == set("abcde")
    assert mixture.rows(0, 40) == rows


def test_a_target_out_of_sight_has_no_point():
    assert all(np.isnan(v) for v in _point_inside(np.zeros((8, 8), dtype=np.float32)))
    faint = np.zeros((8, 8), dtype=np.float32)
    faint[3, 5] = 0.2
    assert _point_inside(faint) == (10.5, 6.5)


def test_one_step_moves_every_trainable_tensor_and_no_frozen_one(tmp_path):
    model = tiny_geomag()
    job = JointTraining.of_samples(model, samples(model), model.profile.train, model.profile.prompt)
    # LoRA's A has no gradient while B is zero, so let the first step pass
    settings = LoopSettings(steps=3, batch=16, micro_batch=8, lr=0.01, warmup=1)
    trainable = job.parameters()
    ids = {id(p) for p in trainable.values()}
    frozen = {n: p.detach().clone() for n, p in model.named_parameters() if id(p) not in ids}
    before = {n: p.detach().clone() for n, p in trainable.items()}
    train(job, settings, checkpoints=tmp_path, identity={}, log=lambda *_: None)
    still = [n for n, p in trainable.items() if torch.equal(p, before[n])]
    assert still == []
    now = dict(model.named_parameters())
    assert [n for n, p in frozen.items() if not torch.equal(p, now[n])] == []


def test_losses_of_a_batch_do_not_depend_on_its_order():
    model = tiny_geomag()
    job = JointTraining.of_samples(model, samples(model), model.profile.train, model.profile.prompt)
    drawn = job.batch(0, 12)
    assert {d.sample.task for d in drawn} >= {Task.REFERRING, Task.VQA}
    first, second = job.losses(drawn, drawn), job.losses(drawn[::-1], drawn)
    for name in ("ce", "bce", "dice", "alignment", "point"):
        assert first[name].item() == pytest.approx(second[name].item(), rel=1e-4), name


def test_reading_in_parts_of_like_length_changes_no_loss(monkeypatch):
    model = tiny_geomag()
    job = JointTraining.of_samples(model, samples(model), model.profile.train, model.profile.prompt)
    drawn = job.batch(0, 12)
    assert len(joint.by_length(drawn, job._length)) == 2
    in_parts = job.losses(drawn, drawn)
    monkeypatch.setattr(joint, "by_length", lambda all_of_them, _, saves: [list(all_of_them)])
    at_once = job.losses(drawn, drawn)
    for name, value in at_once.items():
        assert in_parts[name].item() == pytest.approx(value.item(), rel=1e-4), name


@pytest.mark.integration
def test_it_learns_a_handful_of_records(tmp_path):
    model = tiny_geomag()
    job = JointTraining.of_samples(model, samples(model), model.profile.train, model.profile.prompt)
    seen = []
    settings = LoopSettings(
        steps=120, batch=8, micro_batch=8, lr=5e-3, warmup=5, log_every=20, save_every=1000
    )
    train(job, settings, checkpoints=tmp_path, identity={}, log=lambda _, m: seen.append(m))
    assert seen[-1]["ce"] < 0.5 * seen[0]["ce"]  # LoRA on a random language model
    assert seen[-1]["dice"] < 0.8 * seen[0]["dice"]


def test_the_mixture_gives_each_task_its_share():
    model = tiny_geomag()
    job = JointTraining.of_samples(model, samples(model), model.profile.train, model.profile.prompt)
    tasks = [d.sample.task for u in range(40) for d in job.batch(u, 50)]
    config = model.profile.train
    total = config.share_referring + config.share_gcg + config.share_roc + config.share_vqa
    share = tasks.count(Task.REFERRING) / len(tasks)
    assert share == pytest.approx(config.share_referring / total, abs=0.04)


def test_a_sample_holds_its_own_features_and_not_its_batch_s():
    model = tiny_geomag()
    model_input = plain_input(IMAGE, model.profile)
    pairs = [((replace(RECORDS["rrsis_d"], id=str(i)),), model_input) for i in range(4)]
    for sample in prepare(model, pairs):
        for level in sample.features:
            assert level.untyped_storage().nbytes() == level.numel() * 4


def test_each_target_gets_the_features_of_its_own_image():
    model = tiny_geomag()
    job = JointTraining.of_samples(model, samples(model), model.profile.train, model.profile.prompt)
    rows = job.batch(0, 64)
    by_count = {n: next(d for d in rows if len(d.sample.truth) == n) for n in (0, 1, 2)}
    batch = job._batch([[by_count[0], by_count[2]], [by_count[1]]])
    owners = [by_count[2], by_count[2], by_count[1]]
    for level, found in enumerate(batch.features):
        assert torch.equal(found, torch.stack([d.sample.features[level] for d in owners]))
