"""RRSIS-D alone, by the edit that docs/howto/reproduce-tables.md gives, done as it is written."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from geomag.config import load_profile
from geomag.data.benchmarks import BENCHMARKS
from geomag_dagster.naming import benchmarks_of
from geomag_dagster.stages import feeders, read_stages

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "howto" / "reproduce-tables.md"
ALONE = [
    "validate@rrsis_d", "leakage", "base", "granularity", "crops@rrsis_d", "train",
    "predict@rrsis_d-magcrop", "predict@rrsis_d-plain", "score@rrsis_d", "report",
]  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """The project after the edit: its two files, its code, RRSIS-D's folder and nothing else."""
    root = tmp_path_factory.mktemp("alone")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(ROOT / "geomag", root / "geomag", ignore=shutil.ignore_patterns("__pycache__"))
    edit = re.search(r"```sh\n(others=.*?)```", PAGE.read_text(), re.DOTALL)
    subprocess.run(["bash", "-eu"], input=edit[1], text=True, cwd=root, check=True)
    (root / "data" / "rrsis_d").mkdir(parents=True)
    (root / "data" / "rrsis_d" / "labels.txt").touch()
    return root


def test_the_line_names_no_other_benchmark(project):
    stages = read_stages(project)
    assert list(stages) == ALONE
    assert benchmarks_of(stages) == ["rrsis_d"]
    assert feeders(stages)["train"] == {"validate@rrsis_d", "crops@rrsis_d", "base", "granularity"}
    paths = [path for one in stages.values() for path in (*one.deps, *one.outs)]
    assert not [path for path in paths if Path(path).name in set(BENCHMARKS) - {"rrsis_d"}]


def test_the_profile_trains_on_it_alone(project):
    profile = load_profile(str(project / "geomag" / "profiles" / "paper.yaml"))
    assert profile.benchmarks == ("rrsis_d",)
    assert "profile: paper\n" in (project / "params.yaml").read_text()


@pytest.mark.integration
def test_dvc_resolves_the_whole_line(project):
    for stage in read_stages(project).values():  # a dry run wants what earlier stages would make
        for out in map(project.joinpath, stage.outs):
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text("{}")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--no-scm", "-q"], cwd=project, check=True)
    done = subprocess.run(
        [*dvc, "repro", "--dry"], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.findall(r"Running stage '(.*)'", done.stdout) == ALONE
