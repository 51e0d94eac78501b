from pathlib import Path

import pytest
from typer.testing import CliRunner

from geomag import tracking
from geomag.cli.main import app
from geomag.errors import ConfigError
from geomag.tracking.views import View, read_views, search
from tests.tracking.conftest import client

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


def test_every_view_of_the_project_is_one_that_mlflow_understands(root, monkeypatch):
    monkeypatch.setenv("GEOMAG_RUN_ID", "dagster-1")
    for experiment in ("train", "score"):
        with tracking.run(stage=experiment, root=root):
            pass
    views = read_views(ROOT)
    assert {"candidates", "scores", "trainings"} <= set(views)
    assert [len(search(view, root)) for view in views.values()] == [1] * len(views)


def test_a_view_shows_its_columns_newest_first(root):
    for loss in (2.0, 1.0):
        with tracking.run(stage="train", params={"lr": 0.1}, root=root) as run:
            run.log_metrics({"loss": loss}, step=1)
    view = View(
        title="Trainings",
        experiments=("train", "never run"),
        order_by=("metrics.loss ASC",),
        columns=("metrics.loss", "params.lr", "tags.absent"),
    )
    assert search(view, root) == [
        {"run": "train", "loss": 1.0, "lr": "0.1"},
        {"run": "train", "loss": 2.0, "lr": "0.1"},
    ]
    assert client(root).get_experiment_by_name("never run") is None


def test_a_misspelled_view_names_its_file(tmp_path):
    folder = tmp_path / "mlflow" / "views"
    folder.mkdir(parents=True)
    (folder / "odd.yaml").write_text("title: Odd\nexperiments: [train]\nfiltre: x\n")
    with pytest.raises(ConfigError, match=r"odd\.yaml.*filtre"):
        read_views(tmp_path)


def test_the_command_lists_views_and_refuses_others(root, monkeypatch):
    (root / "dvc.yaml").write_text("stages: {}\n")
    folder = root / "mlflow" / "views"
    folder.mkdir()
    (folder / "all.yaml").write_text("title: All\nexperiments: [train]\ncolumns: [metrics.loss]\n")
    monkeypatch.chdir(root)
    with tracking.run(stage="train", root=root) as run:
        run.log_metrics({"loss": 0.25}, step=1)
    listed = CliRunner().invoke(app, ["runs"])
    assert listed.output.split() == ["all", "All"]
    shown = CliRunner().invoke(app, ["runs", "all"])
    assert "loss 0.2500" in shown.output
    refused = CliRunner().invoke(app, ["runs", "none"])
    assert isinstance(refused.exception, ConfigError)
