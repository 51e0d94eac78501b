"""The paper's cells, spot-checked against its text and its own arithmetic."""

import pytest

from geomag.data.benchmarks import BENCHMARKS
from geomag.report.paper import paper_tables


def row(table, method, block=0):
    found = paper_tables()[table - 1].blocks[block]
    return next(r.cells for r in found.rows if r.method == method)


def test_seven_tables_with_all_their_rows():
    sizes = [[len(b.rows) for b in t.blocks] for t in paper_tables()]
    assert sizes == [[10], [5], [13], [4], [10, 10], [5], [2]]
    assert sum(len(r.cells) for t in paper_tables() for b in t.blocks for r in b.rows) == 382


def test_gains_that_the_papers_text_names():
    ours, second = row(1, "GeoMag"), row(1, "RMSIN")
    assert [round(a - b, 2) for a, b in zip(ours, second, strict=True)][:3] == [7.04, 4.88, 1.51]
    lgce = row(1, "LGCE")
    assert [round(a - b, 2) for a, b in zip(ours, lgce, strict=True)][3:5] == [3.75, 3.46]
    assert round(row(2, "GeoMag")[1] - row(2, "GeoPixel")[1], 2) == 19.17
    assert round(row(2, "GeoMag")[3] - row(2, "GeoPixel")[3], 2) == 1.66
    assert round(row(4, "GeoMag")[0] - row(4, "EarthGPT")[0], 2) == 3.20
    assert round(row(4, "GeoMag")[1] - row(4, "EarthGPT")[1], 2) == 6.31


def test_drops_that_the_papers_text_names():
    with_it, without = row(7, "GeoMag"), row(7, "GeoMag w/o MagCrop")
    drops = [round(a - b, 2) for a, b in zip(with_it, without, strict=True)]
    assert (drops[0], drops[3], drops[7]) == (15.85, 32.57, 32.18)


def test_table_7_repeats_the_rows_of_the_other_tables():
    seventh = row(7, "GeoMag")
    assert seventh == row(1, "GeoMag") + row(4, "GeoMag") + row(3, "GeoMag")[3:6]


@pytest.mark.parametrize("start", [0, 3, 6])
def test_geomags_average_is_the_mean_of_its_two_types(start):
    presence, comparison, average = row(3, "GeoMag")[start : start + 3]
    assert average == pytest.approx((presence + comparison) / 2, abs=0.011)


def test_averages_of_table_3_that_are_not_the_mean_of_their_types():
    def mean(method, start):
        return sum(row(3, method)[start : start + 2]) / 2

    assert mean("SHRNet", 6) == pytest.approx(89.63, abs=0.006)
    assert row(3, "SHRNet")[8] == 90.63
    assert mean("GeoChat", 6) == pytest.approx(70.82)
    assert mean("EarthGPT", 6) == pytest.approx(71.15)
    assert mean("MiniGPT-v2", 6) == pytest.approx(row(3, "MiniGPT-v2")[8])
    assert [mean(m, 0) for m in ("RSGPT", "GeoMag")] == pytest.approx([91.435, 91.595])
    presence, _, average = row(3, "RSGPT")[3:6]
    assert 2 * average - presence == pytest.approx(92.14)


def test_every_specialist_is_above_geomag_where_the_errata_say_so():
    test1 = [row(3, "GeoMag")[k] for k in (3, 4, 5)]
    specialists = [r for r in paper_tables()[2].blocks[0].rows if r.section.startswith("Special")]
    assert len(specialists) == 3
    for one in specialists:
        assert all(a > b for a, b in zip(one.cells[3:6], test1, strict=True))
        assert one.cells[8] > row(3, "GeoMag")[8]


def test_every_column_asks_for_a_metric_of_a_known_benchmark():
    names = {c.benchmark for t in paper_tables() for b in t.blocks for c in b.columns}
    assert names == set(BENCHMARKS)
    for table in paper_tables():
        assert sum(r.paper for b in table.blocks for r in b.rows) >= 1
        assert table.errata
