from pathlib import Path

import pytest

from geomag import tracking
from tests.conftest import copy_store


@pytest.fixture
def root(tmp_path, empty_store, monkeypatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    copy_store(empty_store, tmp_path)
    return tmp_path


def client(root: Path):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking.tracking_uri(root))
