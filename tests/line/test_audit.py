"""What each stage's command really opens and imports is what `dvc.yaml` says it depends on."""

import shlex
import shutil
from pathlib import Path

import pytest

from geomag_dagster.stages import Stage, overlap, read_stages
from tests.geomag_dagster.test_code_deps import ENTRIES, PLUMBING
from tests.line.project import CHECKOUT, Project

pytestmark = pytest.mark.integration
AUDITED = Path(__file__).with_name("audited.py")
STATE = {
    ".dvc": "DVC's listing of data/, to name versions",
    ".git": "the commit, to name it",
    "data.dvc": "to name versions",
    "dvc.lock": "to name versions",
    "dvc.yaml": "the project's root, and which code a checkpoint belongs to",
    "mlflow": "where runs are told to",
    "params.yaml": "which profile; dvc.yaml depends on its settings",
    "work": "checkpoints and caches, kept under all that decides them",
}
"""Read, and no reason to run a stage again. Each with the reason."""
PRINTS = {"geomag/evaluate/score/table.py": "a score as text, which the command line loads first"}
EXAMPLES = {"predict": "predict@rrsis_d-magcrop", "crops": "crops@refsegrs", "score": "score@aid"}
"""Stages of a group that read all that their group reads; else the first."""


def opened(root: Path, stage: Stage, listing: Path) -> set[str]:
    """Files under ``root`` that a stage's command opens to read, source for byte code."""
    for out in stage.outs:  # as DVC does before it runs a stage
        (root / out).unlink() if (root / out).is_file() else shutil.rmtree(root / out)
    arguments = shlex.split(stage.cmd)[3:]
    Project(root).python(str(AUDITED), str(listing), *arguments)
    found = set()
    for line in listing.read_text(encoding="utf-8").splitlines():
        path = Path(line)
        if path.is_relative_to(root) and path.is_file():  # what is gone was the stage's own
            if path.suffix == ".pyc":
                path = path.parent.parent / f"{path.name.partition('.')[0]}.py"
            found.add(path.relative_to(root).as_posix())
    return found


def undeclared(stage: Stage, files: set[str]) -> list[str]:
    """The files that neither `dvc.yaml` nor the lists of plumbing and state account for."""
    known = [
        *stage.deps,
        *stage.outs,
        *(file for file, _ in stage.params),
        *PLUMBING,
        *PRINTS,
        *STATE,
    ]
    return sorted(
        file
        for file in files
        if not any(overlap(file, place) for place in known)
        and Path(file).name not in ("__init__.py", "__main__.py")  # re-exports
    )


@pytest.mark.parametrize("group", sorted(ENTRIES))
def test_a_stage_opens_and_imports_nothing_that_it_does_not_depend_on(copy, tmp_path, group):
    stages = read_stages(CHECKOUT)
    name = EXAMPLES.get(group, next(name for name, s in stages.items() if s.group == group))
    files = opened(copy.root, stages[name], tmp_path / "opened")
    assert any(file.startswith("geomag/") for file in files), "the clone's code must be what runs"
    assert undeclared(stages[name], files) == []
