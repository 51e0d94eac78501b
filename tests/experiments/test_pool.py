"""Trainings pooled: a record's scores are averaged over seeds, then compared image by image."""

import pytest
from typer.testing import CliRunner

from geomag.cli.main import app
from geomag.errors import PredictionError
from geomag.experiments.pool import pool
from geomag.io import write_json
from geomag.metrics.bootstrap import Resampling

HOW = Resampling(200, 1)


def run(path, scores, ids="abcd"):
    """Two records an image; a and b are small."""
    rows = [
        {
            "id": name,
            "image": f"{number // 2}.png",
            "share": 0.001 if name in "ab" else 0.2,
            "scores": {"plain": plain, "mask": mask},
        }
        for number, (name, (plain, mask)) in enumerate(zip(ids, scores, strict=True))
    ]
    write_json(path, {"bench": "windows", "benchmark": "rrsis_d", "records": rows})
    return path


def test_two_seeds_by_hand(tmp_path):
    one = run(tmp_path / "1.json", [(0.0, 0.2), (0.2, 0.6), (0.5, 0.5), (0.9, 0.7)])
    two = run(tmp_path / "2.json", [(0.2, 0.2), (0.0, 0.2), (0.5, 0.7), (0.7, 0.7)])
    arms = pool([one, two], HOW)["arms"]["mask"]
    assert arms["all"]["n"] == 4
    assert arms["all"]["plain"] == pytest.approx(0.375)
    assert arms["all"]["score"] == pytest.approx(0.475)
    assert arms["all"]["each"] == pytest.approx([0.1, 0.1])
    assert arms["small"]["n"] == 2
    assert arms["small"]["difference"] == pytest.approx(0.2)
    assert arms["small"]["each"] == pytest.approx([0.3, 0.1])
    low, high = arms["all"]["interval"]  # the images differ by 0.2 and 0.0
    assert (low, high) == pytest.approx((0.0, 0.2))


def test_other_records_are_refused(tmp_path):
    one = run(tmp_path / "1.json", [(0.0, 0.2)] * 4)
    two = run(tmp_path / "2.json", [(0.0, 0.2)] * 4, ids="abce")
    with pytest.raises(PredictionError, match=r"2\.json: other records"):
        pool([one, two], HOW)


def test_the_command_prints_a_line_an_arm_and_subset(tmp_path):
    one = run(tmp_path / "1.json", [(0.0, 0.2)] * 4)
    said = CliRunner().invoke(
        app, ["experiment", "pool", str(one), "--json", str(tmp_path / "p.json")]
    )
    assert said.exit_code == 0, said.output
    first, second = said.output.splitlines()
    assert first.startswith(
        "mask                   all    n    4  score 0.200  plain 0.000  +0.200"
    )
    assert " small " in second
    assert (tmp_path / "p.json").is_file()
