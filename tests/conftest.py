"""Settings of all tests."""

import shutil
from pathlib import Path

import pytest
from hypothesis import settings

# Two cores shared by parallel jobs stall now and then; a stall is no failure of the code.
settings.register_profile("no_deadline", deadline=None, max_examples=60)
settings.load_profile("no_deadline")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """MLflow's migrations take seconds: one database is made and copied."""
    from geomag.tracking.database import create_tables

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    create_tables(path)
    return path


def copy_store(empty_store: Path, root: Path) -> None:
    """Give a project a store of its own."""
    (root / "mlflow").mkdir(exist_ok=True)
    shutil.copy(empty_store, root / "mlflow" / "mlflow.db")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests first: at the end no core waits for another one's last file."""
    long = {item.path for item in items if item.get_closest_marker("integration")}
    items.sort(key=lambda item: item.path not in long)
