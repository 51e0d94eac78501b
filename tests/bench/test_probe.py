"""The probe bench: each variant in a process of its own, ratios by hand, memory that is seen."""

import pytest

from geomag.bench.probe import VARIANTS, ProbeCase, bench_probe
from geomag.errors import ToolError

SMALL = {"layers": 2, "width": 32, "heads": 2, "repeats": 1}


def test_the_middle_layer_stands_where_14_of_32_does():
    assert ProbeCase(variant="ours", n_tokens=640, layers=32).middle == 14
    assert ProbeCase(variant="ours", n_tokens=640, layers=8).middle == 3


def test_attention_matrices_show_in_the_peak():
    # 2 layers of eager attention keep [4, 768, 768] float32 several times: 9.4 MB each.
    # In processes of their own: memory that earlier tests freed would be used again unseen.
    sizes = {"layers": 2, "width": 64, "heads": 4, "repeats": 1}
    result = bench_probe([768], ("naive_backward", "ours"), **sizes)
    peaks = {row["variant"]: row["peak_mb"] for row in result["rows"]}
    assert peaks["naive_backward"] > 4 * 9.4
    assert peaks["ours"] < 0.5 * peaks["naive_backward"]


@pytest.mark.integration
def test_every_variant_runs_in_a_child_and_is_set_against_the_others():
    lines: list[str] = []
    result = bench_probe([96], log=lines.append, **SMALL)
    rows = {row["variant"]: row for row in result["rows"]}
    assert tuple(rows) == VARIANTS
    assert len(lines) == len(VARIANTS)
    base = rows["naive_backward"]
    for row in rows.values():
        assert row["seconds"] > 0
        assert row["seconds_to_naive_backward"] == pytest.approx(row["seconds"] / base["seconds"])
    assert base["seconds_to_naive_backward"] == 1.0


@pytest.mark.integration
def test_a_size_that_cannot_run_is_an_error_with_its_variant():
    with pytest.raises(ToolError, match=r"bench probe, ours.*try a smaller size"):
        bench_probe([96], ["ours"], **{**SMALL, "heads": 3, "dtype": "no_such_type"})
