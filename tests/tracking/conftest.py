import shutil
from pathlib import Path

import pytest

from geomag import tracking
from geomag.tracking.database import create_tables


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """MLflow's migrations take seconds: one database is made and copied."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    create_tables(path)
    return path


@pytest.fixture
def root(tmp_path, empty_store, monkeypatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlflow").mkdir()
    shutil.copy(empty_store, tmp_path / "mlflow" / "mlflow.db")
    return tmp_path


def client(root: Path):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking.tracking_uri(root))
