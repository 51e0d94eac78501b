"""One project on which the whole line has run, for all tests of it and all their processes."""

import fcntl
from pathlib import Path

import pytest

from geomag_dagster.stages import read_stages
from tests.line.project import Project, make_project
from tests.line.watched import Reading, readings, watching

WATCHED = "watched"
"""Folder beside the project with what its commands read."""


@pytest.fixture(scope="session")
def line(tmp_path_factory, worker_id) -> Project:
    """A project on which the one command has run once; tests that change it take a copy."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "line"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "made").exists():
            return Project(folder / "geomag")
        project = make_project(folder / "geomag")
        code = "import geomag, geomag_dagster; print(geomag.__file__, geomag_dagster.__file__)"
        for place in project.python("-c", code).split():
            assert Path(place).is_relative_to(project.root), "the clone's code must be what runs"
        steps = project.run_line(**watching(folder / WATCHED))
        assert set(steps.values()) == {"done"}
        assert len(steps) == len(["data"]) + len(read_stages(project.root))
        (folder / "made").touch()
    return project


@pytest.fixture(scope="session")
def read(line) -> dict[str, Reading]:
    """What each stage's command has read while the line ran."""
    return readings(line.root, line.root.parent / WATCHED, read_stages(line.root))


@pytest.fixture
def copy(line, tmp_path) -> Project:
    return line.copy(tmp_path / "geomag")
