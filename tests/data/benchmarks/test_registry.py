"""Every benchmark has its reader, and every record goes through JSON unchanged."""

import pytest

from geomag.data.benchmarks import BENCHMARKS
from geomag.data.benchmarks.registry import read_benchmark, reader_for
from geomag.data.records import Record
from geomag.errors import ConfigError


def test_each_of_the_ten_has_a_reader_of_its_own_name():
    assert [reader_for(name).benchmark for name in BENCHMARKS] == list(BENCHMARKS)


def test_an_unknown_benchmark_is_refused_with_the_names():
    with pytest.raises(ConfigError, match=r"'rrsisd': ?|rrsis_d"):
        reader_for("rrsisd")


def test_records_survive_json(rrsis, refsegrs, geopixel, dior, rsvqa_lr, ucm, aid):
    roots = {
        "rrsis_d": rrsis.write(),
        "refsegrs": refsegrs,
        "geopixeld": geopixel.root,
        "dior_rsvg": dior,
        "rsvqa_lr": rsvqa_lr.root,
        "ucm_captions": ucm,
        "aid": aid,
    }
    for name, root in roots.items():
        records = list(read_benchmark(name, root))
        assert records
        for record in records:
            assert Record.from_json(record.to_json(), place="test") == record
            assert record.task is BENCHMARKS[name].task
            assert (root / record.image).is_file()
