"""Published counts and those of the drawn sample."""

import pytest

from geomag.data.benchmarks import BENCHMARKS
from geomag.data.validate.expected import Expected, expected_counts
from geomag.errors import AnnotationError
from geomag.io import write_json


def test_the_published_totals():
    totals = {name: sum(spec.counts.values()) for name, spec in BENCHMARKS.items()}
    assert totals == {
        "rrsis_d": 17_402,
        "refsegrs": 4_420,
        "geopixeld": 16_795 + 1_943,
        "dior_rsvg": 38_320,
        "rsvqa_lr": 77_232,
        "rsvqa_hr": 1_056_514,
        "ucm_captions": 2_100,
        "sydney_captions": 613,
        "aid": 10_000,
        "resisc45": 31_500,
    }


def test_the_scene_sets_also_publish_their_classes(tmp_path):
    for name, total in (("aid", 10_000), ("resisc45", 31_500)):
        expected = expected_counts(name, tmp_path)
        assert (expected.origin, sum(expected.kinds.values())) == ("published", total)


@pytest.mark.parametrize(
    ("benchmark", "counts", "folded"),
    [
        ("rrsis_d", {"train": 7, "val": 2, "test": 3}, {"train": 7, "val": 2, "test": 3}),
        ("geopixeld", {"train": 7, "test": 3}, {"train+val": 7, "test": 3}),
        ("geopixeld", {"train": 7, "val": 1, "test": 3}, {"train+val": 8, "test": 3}),
        ("resisc45", {"train": 2, "val": 1, "test": 1}, {"test": 4}),
    ],
)
def test_the_sample_marker_is_folded_onto_the_splits_that_are_read(
    tmp_path, benchmark, counts, folded
):
    write_json(tmp_path / "SAMPLE.json", {"benchmark": benchmark, "counts": counts})
    assert expected_counts(benchmark, tmp_path) == Expected(folded, "sample")


def test_the_marker_of_another_benchmark_is_refused(tmp_path):
    write_json(tmp_path / "SAMPLE.json", {"benchmark": "aid", "counts": {"test": 1}})
    with pytest.raises(AnnotationError, match=r"SAMPLE\.json: .*the counts of resisc45"):
        expected_counts("resisc45", tmp_path)


def test_differences_name_split_found_and_expected():
    expected = Expected({"train+val": 10, "test": 2}, "published")
    assert expected.differences({"train": 9, "val": 1, "test": 2}) == []
    assert expected.differences({"train": 9, "val": 2, "test_phili": 4}) == [
        "train+val: 11 records, 10 expected (published)",
        "test: 0 records, 2 expected (published)",
        "test_phili: 4 records, 0 expected (published)",
    ]
