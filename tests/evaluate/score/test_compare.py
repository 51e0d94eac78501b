"""Comparisons of two predictions files: outcomes, slices, and the command."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from geomag.config.schema import ScoreConfig
from geomag.evaluate.score.compare import compare
from geomag.evaluate.score.context import ScoringContext
from geomag.io import read_json
from tests.evaluate.score.cases import lay, question

ROWS = [question(i, i // 4, "presence" if i % 2 else "comp", "yes") for i in range(160)]


def files(tmp_path, right_of_a, right_of_b):
    paths = []
    for name, right in (("a", right_of_a), ("b", right_of_b)):
        rows = [{"id": r.id, "text": "yes" if right(int(r.id)) else "no"} for r in ROWS]
        paths.append(lay(tmp_path, ROWS, rows, f"{name}.jsonl")[1])
    return paths


def run(tmp_path, right_of_a, right_of_b):
    first, second = files(tmp_path, right_of_a, right_of_b)
    context = ScoringContext(config=ScoreConfig(resamples=400))
    return compare("rsvqa_lr", first, second, ROWS, context)


def test_better_worse_and_undecided(tmp_path):
    # presence: A is right where B is, and in one more of three; comp: the other way round
    found = run(tmp_path, lambda i: i % 2 == 1 or i % 3 > 0, lambda i: i % 2 == 0 or i % 3 > 0)
    outcomes = {gap.metric: gap.outcome for gap in found.gaps}
    assert outcomes == {"presence": "better", "comparison": "worse", "average": "undecided"}
    presence = found.gaps[0]
    assert presence.difference == pytest.approx(presence.first - presence.second)
    assert presence.low > 0
    assert presence.p_holm == pytest.approx(3 * presence.p_value)
    assert (found.n_records, found.n_images) == (160, 40)
    slices = {name: (one.n_records, one.n_images) for name, one in found.slices.items()}
    assert slices == {"comp": (80, 40), "presence": (80, 40)}
    assert [g.outcome for g in found.slices["comp"].gaps] == ["worse"]


def test_a_slice_of_many_records_and_few_images_is_not_compared(tmp_path):
    # the first 19 images have all questions of one kind: 76 records, and 19 things that could vary
    rows = [replace(row, kind="rural_urban") if i < 19 * 4 else row for i, row in enumerate(ROWS)]
    first, second = files(tmp_path, lambda i: i % 3 > 0, lambda i: i % 5 > 0)
    found = compare(
        "rsvqa_lr", first, second, rows, ScoringContext(config=ScoreConfig(resamples=50))
    )
    assert {name: one.n_images for name, one in found.slices.items()} == {
        "comp": 21,
        "presence": 21,
    }


def test_equal_answers_are_undecided_and_say_what_could_be_told(tmp_path):
    found = run(tmp_path, lambda i: i % 3 > 0, lambda i: i % 3 > 0)
    assert {gap.outcome for gap in found.gaps} == {"undecided"}
    assert {gap.difference for gap in found.gaps} == {0.0}


def test_swapping_the_files_turns_the_sign(tmp_path):
    ab = run(tmp_path, lambda i: i % 5 > 0, lambda i: i % 3 > 0)
    ba = run(tmp_path, lambda i: i % 3 > 0, lambda i: i % 5 > 0)
    for one, other in zip(ab.gaps, ba.gaps, strict=True):
        assert one.difference == pytest.approx(-other.difference)
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_the_command_writes_the_table(tmp_path):
    first, second = files(tmp_path, lambda i: True, lambda i: i % 3 > 0)
    command = [sys.executable, "-m", "geomag", "compare", str(first), str(second)]
    command += ["--benchmark", "rsvqa_lr", "--records", str(tmp_path / "records.jsonl")]
    done = subprocess.run(
        [*command, "--json", str(tmp_path / "c.json")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "160 records, 40 images" in done.stdout
    tree = read_json(tmp_path / "c.json")
    assert tree["metrics"]["average"]["outcome"] == "better"
    assert json.dumps(tree, allow_nan=False)
