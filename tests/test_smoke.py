"""`geomag smoke`: a small project beside the line, and in it the line's own commands."""

import re
import shlex

import pytest
import yaml

from geomag.config import load_profile, override
from geomag.data.benchmarks import BENCHMARKS, Split, Task
from geomag.data.records import Record, read_records, write_records
from geomag.errors import AnnotationError, ToolError
from geomag.smoke import commands, make_scratch, smoke
from geomag_dagster.stages import read_stages
from tests.line.project import CHECKOUT


@pytest.fixture
def line(tmp_path):
    """A project with RRSIS-D's records and an own profile whose encoder lies in its folder."""
    root = tmp_path / "line"
    (root / "data" / "rrsis_d").mkdir(parents=True)
    (root / "dvc.yaml").write_text((CHECKOUT / "dvc.yaml").read_text())
    rows = [
        Record(
            benchmark="rrsis_d",
            id=f"{split}{i}",
            split=split,
            task=Task.REFERRING,
            image=f"{'ab'[i % 2]}.png",
            width=9,
            height=9,
        )
        for split in (Split.TRAIN, Split.TEST)
        for i in range(6)
    ]
    records = root / "artifacts" / "records" / "rrsis_d" / "records.jsonl"
    records.parent.mkdir(parents=True)
    write_records(records, rows)
    return root


@pytest.fixture
def profile():
    changed = {"encoder": {"path": "models/sam"}, "train": {"lr": 1.25e-4}}
    return override(load_profile("sample"), benchmarks=["rrsis_d"], **changed)


def test_the_commands_are_those_of_dvc_yaml():
    wanted = {stage.cmd for stage in read_stages(CHECKOUT).values()}
    found = {
        shlex.join(("python", "-m", "geomag", *one)) for one in commands([*BENCHMARKS.values()])
    }
    assert found == {cmd for cmd in wanted if "data validate" not in cmd}


def test_a_few_records_of_each_split_and_short_trainings(line, profile, tmp_path):
    scratch = tmp_path / "scratch"
    make_scratch(line, scratch, profile, limit=4)
    kept = read_records(scratch / "artifacts" / "records" / "rrsis_d" / "records.jsonl")
    assert [row.id for row in kept] == [
        *("train0", "train2", "train4", "train1"),
        *("test0", "test2", "test4", "test1"),
    ]
    small = load_profile(str(scratch / "smoke.yaml"))
    assert (small.train.steps, small.train.lr, small.train.batch) == (2, 1.25e-4, 16)
    assert small.encoder.path == str(line / "models" / "sam")
    assert small.vlm == profile.vlm
    assert yaml.safe_load((scratch / "params.yaml").read_text())["benchmarks"] == ["rrsis_d"]
    assert (
        len(list(read_records(line / "artifacts" / "records" / "rrsis_d" / "records.jsonl"))) == 12
    )


def test_what_fails_is_named_with_what_it_said(line, profile, tmp_path):
    (line / "artifacts" / "records" / "rrsis_d" / "records.jsonl").unlink()
    with pytest.raises(ToolError) as failed:  # an empty download
        smoke(line, tmp_path / "scratch", profile, limit=4, log=lambda _: None)
    said = str(failed.value)
    assert re.match(r"geomag data validate rrsis_d: ended with exit code 2 on a few records", said)
    assert "Traceback" not in said
    assert said.endswith(f"Remedy: what it made lies in {tmp_path / 'scratch'}")


def test_a_benchmark_that_is_not_there_is_named(line, profile, tmp_path):
    both = override(profile, benchmarks=["rrsis_d", "aid"])
    with pytest.raises(AnnotationError, match=r"no aid\. Remedy: .* --benchmark"):
        make_scratch(line, tmp_path / "scratch", both, limit=4)
