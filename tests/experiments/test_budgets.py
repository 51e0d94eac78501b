"""Scores against visual tokens: which budgets, how many tokens each way reads, and by hand."""

import numpy as np
import pytest
from PIL import Image

from geomag.data.benchmarks import Split, Task
from geomag.data.records import Record
from geomag.experiments.budgets import budgets, compare_budgets
from geomag.geometry import encode_mask
from geomag.model.query import ModelAnswer
from tests.model.whole import tiny_geomag, tiny_profile

TRUTH = np.zeros((90, 120), dtype=bool)
TRUTH[20:60, 20:60] = True


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A model whose mask has as many of the target's 40 rows as its look has tokens, at most 40."""
    folder = tmp_path_factory.mktemp("pictures")
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    settings = {"view": "tokens", "probe": "attention", "min_px": 16, "sizes": [0.5]}
    sizes = {"vlm": {"image_px": 112, "patch_px": 14}, "score": {"resamples": 50}}
    model = tiny_geomag(magcrop=settings, **sizes).eval()
    read = []

    def answer(queries, *, max_new_tokens):
        del max_new_tokens
        made = []
        for query in queries:
            read.append(query.model_input.n_tokens(14))
            mask = TRUTH.copy()
            mask[20 + min(40, read[-1]) :] = False
            made.append(ModelAnswer("[SEG]", (mask,), (), 0, (0.5,)))
        return made

    model.answer = answer
    place = {"benchmark": "rrsis_d", "split": Split.TEST, "task": Task.REFERRING, "image": "a.png"}
    size = {"width": 120, "height": 90, "masks": (encode_mask(TRUTH),)}
    records = [Record(**place, **size, id="0", text="The red ship.")]
    lines = []
    found = compare_budgets(model, model.profile, folder, records, log=lines.append)
    return model, found, read, lines


def test_budgets_are_squares_up_to_the_tower_s_own(result):
    assert budgets(result[0].profile) == [36, 64]
    assert budgets(tiny_profile(vlm={"image_px": 336})) == [36, 64, 100, 144, 256, 400, 576]


def test_every_way_is_asked_once_and_reads_within_its_budget(result):
    _, found, read, lines = result
    ways = [row["way"] for row in found["rows"]]
    assert ways == [
        "plain, native, 64",
        "magcrop, native, 64",
        "plain, native, 36",
        "magcrop, native, 36",
        "plain, pooled, 36",
        "magcrop, pooled, 36",
        "pruned, 36",
    ]
    assert len(read) == len(ways)
    assert all(n <= row["budget"] for n, row in zip(read, found["rows"], strict=True))
    assert [read[0], read[2], read[4], read[6]] == [64, 36, 36, 36]
    assert len(lines) == 3 + len(ways)


def test_scores_and_differences_are_against_the_plain_answer_with_all_tokens(result):
    rows = {row["way"]: row for row in result[1]["rows"]}
    assert rows["plain, native, 64"]["score"] == 1.0
    assert rows["plain, pooled, 36"]["score"] == pytest.approx(36 / 40)
    assert rows["pruned, 36"]["difference"] == pytest.approx(-4 / 40)
    (record,) = result[1]["records"]
    assert record["scores"]["plain"] == 1.0
    assert record["scores"]["pruned, 36"] == pytest.approx(0.9)
