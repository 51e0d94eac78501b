"""The prefix bench reports both ways of reading an image, and their ratio."""

import pytest

from geomag.bench.prefix import bench_prefix


def test_both_ways_are_timed_and_set_against_each_other():
    lines = []
    result = bench_prefix("sample", n_questions=8, runs=1, log=lines.append)
    for name in ("answer", "probe"):
        found = result[name]
        assert found["ratio"] == pytest.approx(found["apart"] / found["shared"])
    assert lines[0].startswith("answer  8 questions: apart ")
