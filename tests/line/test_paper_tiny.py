"""The paper's own settings through every stage, on tiny parts and a few drawn records.

The sample takes none of them: stitched images, Eq 4's windows in training and in prediction,
bfloat16, class lists in prompts, one question a row. All stages run in this process, in the order
of dvc.yaml.
"""

import json
import math
import shlex
import shutil

import pytest
import yaml
from typer.testing import CliRunner

from geomag.cli.main import app
from geomag.config import load_profile
from geomag.config.load import PROFILES_DIR
from geomag.data.benchmarks import BENCHMARKS
from geomag.data.records import read_records
from geomag.io import read_jsonl
from geomag_dagster.stages import read_stages
from tests.line.project import CHECKOUT

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """Folder of the finished line, and its profile."""
    root = tmp_path_factory.mktemp("paper_tiny")
    paper = yaml.safe_load((PROFILES_DIR / "paper.yaml").read_text())
    tiny = yaml.safe_load((CHECKOUT / "tests" / "line" / "paper_tiny.yaml").read_text())
    merged = {
        name: {**paper.get(name, {}), **part} if isinstance(part, dict) else part
        for name, part in {**paper, **tiny}.items()
    }
    (root / "paper_tiny.yaml").write_text(yaml.safe_dump(merged))
    shutil.copy(CHECKOUT / "dvc.yaml", root)
    params = (CHECKOUT / "params.yaml").read_text()
    (root / "params.yaml").write_text(params.replace("profile: sample", "profile: paper_tiny.yaml"))
    (root / "geomag").symlink_to(CHECKOUT / "geomag")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("GEOMAG_PROFILE", raising=False)
        run("data", "sample")
        for stage in read_stages(root).values():
            run(*shlex.split(stage.cmd)[3:])  # after python -m geomag
    return root, load_profile(str(root / "paper_tiny.yaml"))


def run(*arguments):
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, (arguments, done.output[-2000:], done.exception)


def test_it_has_the_paper_s_switches(line):
    _, profile = line
    paper = load_profile("paper")
    assert profile.magcrop == paper.magcrop
    assert profile.prompt == paper.prompt
    assert profile.adapter == paper.adapter
    assert profile.decoder == paper.decoder
    assert (profile.magcrop.view, profile.magcrop.probe) == ("stitch", "attention")
    assert (profile.magcrop.answer_selection, profile.encoder.input) == ("window", "adjusted")
    assert (profile.train.windows, profile.train.questions) == ("probe", 1)
    assert (profile.train.ce_mean, profile.vlm.dtype) == (paper.train.ce_mean, "bfloat16")


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS)
def test_every_test_record_is_answered_and_scored(line, benchmark):
    root, _ = line
    score = json.loads((root / f"artifacts/scores/{benchmark.name}.json").read_text())
    records = read_records(
        root / f"artifacts/records/{benchmark.name}/records.jsonl", splits=benchmark.test_splits
    )
    ids = sorted(record.id for record in records)
    for arm in benchmark.arms:
        rows = list(read_jsonl(root / f"artifacts/predictions/{benchmark.name}/{arm}.jsonl"))
        assert sorted(row["id"] for row in rows) == ids
        if benchmark.crops and arm == "magcrop":
            assert any(row.get("crop_boxes") for row in rows)
    assert "paper_tiny" in json.dumps(score)
    assert all(math.isfinite(value) for value in numbers(score))


def test_the_report_is_written(line):
    root, _ = line
    assert (root / "artifacts/report/index.html").stat().st_size > 10_000


def numbers(tree):
    """Every number in a JSON tree."""
    if isinstance(tree, dict):
        return [x for value in tree.values() for x in numbers(value)]
    if isinstance(tree, list):
        return [x for value in tree for x in numbers(value)]
    return [tree] if isinstance(tree, (int, float)) else []
