"""The prefix bench reports both ways of reading an image, and their ratio."""

import pytest

from geomag.bench.full_size import full_size
from geomag.bench.prefix import bench_prefix, count_prefill
from geomag.config import load_profile
from geomag.sample.untrained import untrained_model


def test_both_ways_are_timed_and_set_against_each_other():
    lines = []
    result = bench_prefix(
        untrained_model(load_profile("sample")),
        load_profile("sample"),
        n_questions=8,
        runs=1,
        full_size=False,
        log=lines.append,
    )
    for name in ("answer", "probe"):
        found = result[name]
        assert found["ratio"] == pytest.approx(found["apart"] / found["shared"])
    assert lines[0].startswith("answer  8 questions: apart ")


@pytest.mark.integration
def test_at_7b_the_image_is_counted_once_for_all_its_questions():
    model = full_size(load_profile("paper"))
    one, many = count_prefill(model, 1), count_prefill(model, 32)
    # one question costs nearly the same either way
    assert one["ratio"] == pytest.approx(1.0, abs=0.03)
    assert many["apart"] == pytest.approx(32 * one["apart"])
    # 581 tokens once and 59 a question, of 640 a question
    assert many["shared"] / many["apart"] == pytest.approx((581 + 32 * 59) / (32 * 640), rel=0.05)
