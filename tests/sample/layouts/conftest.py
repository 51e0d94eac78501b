"""One small drawn sample for all tests of its writers."""

from pathlib import Path

import pytest

from geomag.sample.layouts import Written, write_all

SEED, SCALE = 41, 0.05


@pytest.fixture(scope="session")
def out(tmp_path_factory) -> Path:
    """Folder with the ten benchmarks, one folder each."""
    return tmp_path_factory.mktemp("drawn") / "data"


@pytest.fixture(scope="session")
def drawn(out) -> dict[str, Written]:
    """What was written, by benchmark."""
    return {one.benchmark: one for one in write_all(out, seed=SEED, scale=SCALE)}
