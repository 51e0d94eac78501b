"""The window bench: gates by hand, differences by image, every probe on real parts."""

import numpy as np
import pytest
import torch
from PIL import Image

from geomag.data.benchmarks import Split, Task
from geomag.data.records import Record
from geomag.experiments.large import compare_large, scenes
from geomag.experiments.windows import (
    NEVER,
    Trial,
    arms,
    calibrate,
    compare_windows,
    gated,
    score_of,
    summary,
)
from geomag.geometry import encode_mask
from geomag.metrics.bootstrap import Resampling
from geomag.model.query import ModelAnswer
from geomag.sample.large import write_large
from tests.model.whole import tiny_geomag

PLAIN = np.array([0.5, 0.5, 0.5, 0.5])


def trial(scores, confidence):
    ones = np.ones(len(scores))
    return Trial(np.array(scores), np.array(confidence), ones > 0, ones, ones * np.nan)


@pytest.mark.parametrize(
    ("scores", "gate"),
    [
        ([0.9, 0.8, 0.1, 0.2], 0.7),  # the two sure windows help, the others harm
        ([0.9, 0.9, 0.9, 0.9], 0.0),  # all help
        ([0.1, 0.1, 0.1, 0.1], NEVER),  # none does
        ([0.1, 0.9, 0.9, 0.1], 0.2),  # trusting three is best: 2.4 against 2.0 and 2.3
    ],
)
def test_the_gate_is_where_the_mean_score_is_highest(scores, gate):
    one = trial(scores, [0.9, 0.7, 0.2, 0.1])
    assert calibrate(PLAIN, one) == gate
    best = max(gated(PLAIN, one, t).mean() for t in (0, 0.1, 0.2, 0.7, 0.9, NEVER))
    assert gated(PLAIN, one, gate).mean() == best


def record(number, image, mask=None):
    place = {"benchmark": "rrsis_d", "split": Split.TEST, "task": Task.REFERRING}
    masks = () if mask is None else (encode_mask(mask),)
    size = {"width": 120, "height": 90}
    return Record(**place, **size, id=str(number), image=image, text="The red ship.", masks=masks)


def test_the_difference_to_plain_is_paired_and_counts_images():
    records = [record(i, name) for i, name in enumerate(["a", "a", "b", "b"])]
    one = trial([0.6, 0.8, 0.5, 0.7], [1, 1, 1, 1])
    row = summary(records, PLAIN, one.scores, one, Resampling(resamples=400))
    assert row["difference"] == pytest.approx(0.15)
    # two images, each with a mean gain of 0.2 or 0.1: no resample leaves that range
    assert row["interval"] == pytest.approx([0.1, 0.2])
    assert row["crop_recall"] == 1.0
    assert row["pointing"] is None


def test_a_word_scores_one_and_a_mask_its_iou():
    mask = np.zeros((90, 120), dtype=bool)
    mask[:10, :10] = True
    half = mask & (np.arange(120) < 5)
    assert score_of(record(0, "a", mask), ModelAnswer("", (half,), ())) == 0.5
    assert score_of(record(0, "a", mask), ModelAnswer("", (), ())) == 0.0
    place = {"benchmark": "rsvqa_lr", "split": Split.TEST, "task": Task.VQA, "image": "a"}
    question = Record(**place, id="0", width=1, height=1, answers=("Yes",))
    assert score_of(question, ModelAnswer(" yes ", (), ())) == 1.0
    assert score_of(question, ModelAnswer("no", (), ())) == 0.0


def drawing_model(**sections):
    """A tiny model that always says one [SEG] group; where it draws is chance."""
    model = tiny_geomag(seed=2, **sections).eval()
    rows = model.vlm.llava.get_input_embeddings().weight.shape[0]
    words, said = [*model.seg_ids, model.vlm.tokenizer.eos_token_id], iter(range(10**6))
    first = model.vlm.lm_head.forward

    def say(hidden):
        if hidden.dim() == 3:  # the probe asks for its own target
            return first(hidden)
        logits = torch.zeros(*hidden.shape[:-1], rows)
        logits[..., words[next(said) % len(words)]] = 1.0
        return logits

    model.vlm.llava.lm_head.forward = say
    return model


def test_every_probe_is_tried_with_its_windows_trusted_and_with_the_surer_answer_kept():
    model = tiny_geomag()
    ways = arms(model, model.profile)
    probes = ("attention", "mask", "attention+mask", "oracle", "random")
    assert [arm.name for arm in ways] == [
        *probes,
        *(f"{name}, confidence" for name in probes),
    ]
    assert {arm.profile.magcrop.answer_selection for arm in ways[:5]} == {"window"}
    assert {arm.profile.magcrop.answer_selection for arm in ways[5:]} == {"confidence"}


def test_every_probe_is_set_against_plain_and_gates_come_from_validation(tmp_path):
    model = drawing_model(magcrop={"min_px": 16}, score={"resamples": 50})
    draw, records = np.random.default_rng(0), []
    for number in range(4):
        pixels = draw.integers(0, 256, (90, 120, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        mask = np.zeros((90, 120), dtype=bool)
        mask[20:40, 10 + 20 * number : 40 + 20 * number] = True
        records.append(record(number, f"{number}.png", mask))
    lines = []
    ways = arms(model, model.profile)
    result = compare_windows(
        model, model.profile, tmp_path, records[:2], records[2:], log=lines.append
    )
    rows = result["rows"]
    assert set(rows) == {
        *("attention", "attention, gated", "mask", "mask, gated"),
        *("attention+mask", "oracle", "random"),
        *(f"{arm.name}" for arm in ways[5:]),
    }
    assert [row["id"] for row in result["records"]] == [r.id for r in records[2:]]
    assert set(result["records"][0]["scores"]) == {"plain", *(arm.name for arm in ways)}
    assert set(result["gates"]) == {"gate", "mask_gate"}
    assert rows["oracle"]["crop_recall"] == 1.0
    assert len({row["plain"] for row in rows.values()}) == 1
    assert rows["attention"]["pointing"] in (0.0, 0.5, 1.0)
    assert rows["mask"]["pointing"] is None
    for row in rows.values():
        low, high = row["interval"]
        assert low <= row["difference"] <= high
        assert row["difference"] == pytest.approx(row["score"] - row["plain"])
    assert lines[-1].startswith("random, confidence ")


@pytest.mark.integration
def test_the_4k_set_is_drawn_once_and_every_path_scored_on_it(tmp_path):
    first = scenes(tmp_path, write_large, seed=3, n_scenes=1)
    before = (tmp_path / "00000.jpg").stat().st_mtime_ns
    # views of tokens: Eq 2 over 27 megapixels a look is what takes its time
    model = drawing_model(score={"resamples": 50}, magcrop={"view": "tokens"})
    result = compare_large(model, model.profile, tmp_path, first, log=lambda _: None)
    assert scenes(tmp_path, write_large, seed=3, n_scenes=1) == first
    assert (tmp_path / "00000.jpg").stat().st_mtime_ns == before
    assert list(result["rows"]) == [
        *("global", "tiles", "pyramid", "tiles+mask", "pyramid+mask", "oracle", "random")
    ]
    assert result["rows"]["oracle"]["crop_recall"] == 1.0
    assert result["rows"]["tiles"]["windows"] == 1.0
