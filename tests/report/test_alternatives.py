"""Other scorers' rules beside ours, and where a model is weak."""

import json

from geomag.report.alternatives import EXHIBITS, alternative_protocols, weak_spots
from geomag.report.build import build_report
from geomag.report.ours import Scores

SCORE = {
    "benchmark": "rsvqa_lr",
    "split": "test",
    "n_records": 10,
    "protocol": {"profile": "sample", "predictions_sha256": "ab"},
    "metrics": {"presence": 0.75, "comparison": 0.5, "average": 0.625},
    "intervals": {"presence": None, "comparison": None, "average": [0.5, 0.75]},
    "baselines": {},
    "counts": {
        "images": 2,
        "missing_over_limit": False,
        "n": {"presence": 4, "comp": 6},
        "right": {"presence": 3, "comp": 3},
    },
    "variants": {
        "lenient": {"average": 0.7},
        "micro2": {"average": 0.6},
        "macro3": {"average": None},
        "rule: LHRS-Bot": {"average": 1.0},
    },
}


def scores(tmp_path, **changes):
    (tmp_path / "rsvqa_lr.json").write_text(json.dumps(SCORE | changes))
    return Scores(tmp_path)


def test_each_rule_has_a_row_with_its_gap(tmp_path):
    grid = alternative_protocols(scores(tmp_path))
    assert [row[3:] for row in grid.rows] == [
        ("70.00", "+7.50"),
        ("60.00", "−2.50"),
        ("100.00", "+37.50"),
    ]
    assert grid.rows[2][2] == "Answers matched as LHRS-Bot does"


def test_the_worst_part_comes_first(tmp_path):
    (grid,) = weak_spots(scores(tmp_path))
    assert grid.rows == (
        ("question type (accuracy)", "comp", "6", "50.00"),
        ("question type (accuracy)", "presence", "4", "75.00"),
    )


def test_the_page_links_the_room_and_cells_count_questions(tmp_path):
    scores(tmp_path)
    done = build_report(tmp_path, tmp_path / "r")
    assert {c.id.rsplit("/", 1)[1]: c.n_records for c in done.cells} == {
        "presence": 4,
        "comparison": 6,
        "average": 10,
    }
    assert '<a href="#scorers">' in (tmp_path / "r" / "index.html").read_text()
    assert "62.50 \\[50.00, 75.00]" in (tmp_path / "r" / "tables.md").read_text()
    assert "75.00 \\[no interval]" in (tmp_path / "r" / "tables.md").read_text()


def test_every_task_has_exhibits_for_its_own_metrics():
    from geomag.data.benchmarks import Task

    assert set(EXHIBITS) == set(Task)
