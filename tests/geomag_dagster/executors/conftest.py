import shutil
from pathlib import Path

import pytest
import yaml

from tests.geomag_dagster.executors import small_training, steps


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A DVC project with the training as its stage, and its folder as the steps' meeting place."""
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    shutil.copyfile(small_training.__file__, root / "train.py")
    stage = {"cmd": "python train.py", "deps": ["train.py"], "outs": ["adapter"]}
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"train": stage}}))
    monkeypatch.setenv(steps.FOLDER, str(root))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    monkeypatch.setenv("GEOMAG_GPUS", "only")
    return root
