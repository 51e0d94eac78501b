import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import mlflow.store.db.utils
import numpy as np
import pytest

from geomag import tracking
from geomag.errors import ToolError
from geomag.tracking.database import create_tables
from geomag.tracking.offline_queue import OfflineQueue
from geomag.tracking.store import Store, TrackerDownError
from tests.geomag_dagster.test_supervise import wait_for
from tests.tracking.conftest import client

pytestmark = pytest.mark.integration

AWAY = "http://127.0.0.1:9"
"""A port that nothing listens on."""
SETTINGS = {"train.lr": 0.001, "train.steps": 40}


def runs(root: Path, experiment: str):
    found = client(root).get_experiment_by_name(experiment)
    return client(root).search_runs([found.experiment_id]) if found else []


def test_a_stage_leaves_settings_metrics_pictures_and_where_to_find_them(root):
    with tracking.run(stage="train", params=SETTINGS, tags={"profile": "sample"}, root=root) as run:
        run.log_metrics({"loss": 2.0}, step=0)
        run.log_metrics({"loss": 1.5}, step=20)
        run.log_image(np.zeros((4, 4, 3), np.uint8), "overlay", step=20)
        run.log_json({"read": ["x"]}, "inputs.json")
    (stored,) = runs(root, "train")
    assert stored.info.status == "FINISHED"
    assert stored.data.params == {"train.lr": "0.001", "train.steps": "40"}
    assert stored.data.tags["dvc.stage"] == "train"
    assert stored.data.tags["profile"] == "sample"
    history = client(root).get_metric_history(run.id, "loss")
    assert [(m.step, m.value) for m in history] == [(0, 2.0), (20, 1.5)]
    names = {item.path for item in client(root).list_artifacts(run.id, "pictures")}
    assert names == {"pictures/overlay_000020.png"}
    assert run.url.endswith(f"/runs/{run.id}")
    assert run.id in (root / "work" / "mlflow-runs" / "train.json").read_text()


def test_an_exception_fails_the_run_and_passes_on(root):
    with pytest.raises(ZeroDivisionError), tracking.run(stage="train", root=root):
        _ = 1 / 0
    assert [run.info.status for run in runs(root, "train")] == ["FAILED"]


def interrupted_at(root: Path, step: int, **changes):
    """A run of SETTINGS whose process was killed after it had logged a step."""
    job = {"stage": "train", "params": SETTINGS, "root": root, **changes}
    with suppress(KeyboardInterrupt), tracking.run(**job) as first:
        first.log_metrics({"loss": 2.0}, step=step)
        raise KeyboardInterrupt
    client(root).set_tag(first.id, "owner", "elsewhere-gone:")  # its process has ended
    return first.id


def test_an_interrupted_run_is_continued_without_repeating_steps(root):
    first = interrupted_at(root, 10)
    assert client(root).get_run(first).info.status == "KILLED"
    job = {"stage": "train", "params": SETTINGS, "root": root, "resumes": True}
    with tracking.run(**job) as second:
        owner = client(root).get_run(first).data.tags["owner"]
        assert owner.endswith(f":{os.getpid()}"), "it is this process's run now"
        second.log_metrics({"loss": 2.0}, step=10)
        second.log_metrics({"loss": 1.0}, step=20)
    assert second.id == first
    history = client(root).get_metric_history(first, "loss")
    assert [(m.step, m.value) for m in history] == [(10, 2.0), (20, 1.0)]


def git(root, *arguments):
    command = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@localhost"]
    subprocess.run([*command, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("change", ["settings", "checkpoint", "commit", "dirty", "from 0"])
def test_an_interrupted_run_of_anything_else_is_not_continued(root, change):
    code = root / "code.py"
    code.write_text("one")
    git(root, "init", "-q")
    git(root, "add", "code.py")
    git(root, "commit", "-qm", "first")
    first = interrupted_at(root, 10, tags={"checkpoint.identity": "a"})
    job = {"stage": "train", "params": SETTINGS, "root": root, "resumes": True}
    job["tags"] = {"checkpoint.identity": "b" if change == "checkpoint" else "a"}
    if change == "settings":
        job["params"] = {**SETTINGS, "train.lr": 0.1}
    if change in ("commit", "dirty"):
        code.write_text("two")
    if change == "commit":
        git(root, "commit", "-qam", "second")
    if change == "from 0":
        job["resumes"] = False
    with tracking.run(**job) as second:
        pass
    assert second.id != first
    assert {run.info.status for run in runs(root, "train")} == {"KILLED", "FINISHED"}


def test_a_run_whose_process_was_killed_does_not_stay_running(root):
    left = tracking.Run(
        root,
        {"op": "start", "stage": "train", "params": {}, "tags": {"owner": "elsewhere-gone:"}},
    )
    foreign = client(root).create_run(client(root).get_experiment_by_name("train").experiment_id)
    with tracking.run(stage="train", root=root):
        pass
    assert client(root).get_run(left.id).info.status == "KILLED"
    assert client(root).get_run(foreign.info.run_id).info.status == "RUNNING", "not ours to end"


def test_sigterm_ends_the_run_as_killed(root):
    code = (
        "import sys, time; from pathlib import Path; from geomag import tracking\n"
        "root = Path(sys.argv[1])\n"
        "with tracking.run(stage='train', root=root):\n"
        "    (root / 'started').write_text(''); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(root)])
    wait_for((root / "started").exists, deadline_s=60)
    process.terminate()
    assert process.wait(60) == 128 + signal.SIGTERM
    assert [run.info.status for run in runs(root, "train")] == ["KILLED"]


def test_f37_while_mlflow_is_away_nothing_is_lost_and_later_all_is_delivered(root, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", AWAY)
    with tracking.run(stage="train", params=SETTINGS, root=root) as run:
        run.log_metrics({"loss": 2.0}, step=0)
        run.log_image(np.zeros((4, 4), np.uint8), "overlay")
    assert (run.id, len(OfflineQueue.waiting(root))) == ("", 1)
    assert tracking.sync(root) == 0
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking.sync(root) == 1
    assert OfflineQueue.waiting(root) == []
    (stored,) = runs(root, "train")
    assert (stored.info.status, stored.data.metrics) == ("FINISHED", {"loss": 2.0})
    assert stored.data.params["train.steps"] == "40"


def test_a_tracker_that_fails_half_way_gets_the_rest_later(root):
    with tracking.run(stage="train", params=SETTINGS, root=root) as run:
        run.log_metrics({"loss": 2.0}, step=0)
        store = root / "mlflow" / "mlflow.db"
        aside = store.rename(store.with_name("aside"))
        run.log_metrics({"loss": 1.0}, step=20)
        store.unlink(missing_ok=True)
        aside.rename(store)
        run.log_metrics({"loss": 0.5}, step=40)
    assert len(OfflineQueue.waiting(root)) == 1
    tracking.sync(root)
    history = client(root).get_metric_history(run.id, "loss")
    assert [m.value for m in history] == [2.0, 1.0, 0.5]
    assert client(root).get_run(run.id).info.status == "FINISHED"


def test_what_fails_in_the_middle_of_a_delivery_is_delivered_once(root, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", AWAY)
    with tracking.run(stage="train", params=SETTINGS, root=root) as run:
        run.log_metrics({"loss": 2.0}, step=0)
        run.log_part("adapter", md5="2" * 32 + ".dir", params={"rank": 8})
        run.log_json({"read": ["x"]}, "inputs.json")
        run.log_metrics({"loss": 1.0}, step=20)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    in_the_way = root / "mlflow" / "artifacts"
    in_the_way.write_text("a file where the artifacts would go")
    for _ in range(2):
        assert tracking.sync(root) == 0
        assert len(OfflineQueue.waiting(root)) == 1
    in_the_way.unlink()
    assert tracking.sync(root) == 1
    assert tracking.sync(root) == 0
    (stored,) = runs(root, "train")
    assert stored.info.status == "FINISHED"
    history = client(root).get_metric_history(stored.info.run_id, "loss")
    assert [(m.step, m.value) for m in history] == [(0, 2.0), (20, 1.0)]
    experiment = [stored.info.experiment_id]
    assert [m.name for m in client(root).search_logged_models(experiment)] == ["adapter"]


def killed_away(root: Path, lines: int) -> OfflineQueue:
    """What a process leaves that is killed while MLflow is away, after so many lines and a half."""
    code = (
        "import os, signal, sys; from pathlib import Path; from geomag import tracking\n"
        "with tracking.run(stage='train', root=Path(sys.argv[1])) as run:\n"
        "    run.log_metrics({'loss': 2.0}, step=10)\n"
        "    run.log_metrics({'loss': 1.0}, step=20)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "MLFLOW_TRACKING_URI": AWAY}
    command = [sys.executable, "-c", code, str(root)]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    (queue,) = OfflineQueue.all(root)
    entries = queue.folder / "entries.jsonl"
    kept = entries.read_text().splitlines(keepends=True)
    entries.write_text("".join(kept[:lines]) + kept[lines][:20] if lines < len(kept) else "")
    return queue


@pytest.mark.parametrize(("lines", "losses"), [(2, [2.0]), (1, [])])
def test_what_a_killed_process_left_is_delivered_as_killed(root, lines, losses):
    queue = killed_away(root, lines)
    assert str(queue).endswith(": its process was killed")
    assert tracking.sync(root) == 1
    assert OfflineQueue.all(root) == []
    (stored,) = runs(root, "train")
    assert stored.info.status == "KILLED"
    history = client(root).get_metric_history(stored.info.run_id, "loss")
    assert [m.value for m in history] == losses


def test_what_a_living_process_writes_is_left_to_it(root, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", AWAY)
    with tracking.run(stage="train", root=root):
        (queue,) = OfflineQueue.all(root)
        assert str(queue).endswith(": its process is at work")
        assert OfflineQueue.waiting(root) == []


def test_runs_sync_says_what_waits_and_delivers_it(root):
    def geomag(**environment):
        command = [sys.executable, "-m", "geomag", "runs", "sync"]
        kept = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"} | environment
        return subprocess.run(
            command, cwd=root, env=kept, capture_output=True, text=True, check=False
        )

    (root / "dvc.yaml").write_text("stages: {}")
    tracking.log_scores("aid", "plain", {"metrics": {"accuracy": 0.5}}, dataset_md5="1", root=root)
    away = geomag(MLFLOW_TRACKING_URI=AWAY)
    assert away.returncode == 2
    assert re.match(r"score@aid, 4 entries since 20.*: the run has ended$", away.stdout, re.M)
    assert "took 0 of 1 runs that wait in" in away.stderr
    assert geomag().stdout.splitlines()[-1] == "1 runs delivered"
    assert geomag().stdout.splitlines()[-1] == "nothing waits"
    assert [run.data.metrics for run in runs(root, "score")] == [{"accuracy": 0.5}]


def test_a_score_belongs_to_a_dataset_version_and_to_the_adapter(root):
    data, adapter = "1" * 32 + ".dir", "2" * 32 + ".dir"
    with tracking.run(stage="train", root=root) as run:
        run.log_part("adapter", md5=adapter, params={"rank": 8})
    for value in (0.4, 0.6):
        scores = {"metrics": {"mean_iou": value, "note": "text"}}
        tracking.log_scores(
            "rrsis_d", "magcrop", scores, dataset_md5=data, model_md5=adapter, root=root
        )
    assert tracking.sync(root) == 2
    experiments = [e.experiment_id for e in client(root).search_experiments()]
    found = client(root).search_logged_models(
        experiments,
        "metrics.mean_iou > 0.5",
        datasets=[{"dataset_name": "rrsis_d", "dataset_digest": data}],
    )
    assert [(model.name, model.tags["dvc.md5"]) for model in found] == [("adapter", adapter)]


def test_many_processes_may_open_a_fresh_store_at_once(tmp_path):
    # a fresh database that several processes create at once breaks one of them
    # (daizutabi/hydraflow#245)
    code = (
        "import sys; from pathlib import Path; from geomag import tracking\n"
        "with tracking.run(stage='train', root=Path(sys.argv[1])) as run:\n"
        "    assert run.id, 'offline'"
    )
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=environment)
        for _ in range(3)
    ]
    assert [process.wait(300) for process in processes] == [0, 0, 0]
    assert len(runs(tmp_path, "train")) == 3


def test_a_store_is_there_only_when_it_is_whole(tmp_path, monkeypatch):
    database, seen = tmp_path / "mlflow" / "mlflow.db", []
    initialise = mlflow.store.db.utils._safe_initialize_tables

    def watched(engine):
        initialise(engine)
        seen.append(database.exists())

    monkeypatch.setattr(mlflow.store.db.utils, "_safe_initialize_tables", watched)
    create_tables(database)
    create_tables(database)
    assert seen == [False]
    with closing(sqlite3.connect(database)) as store:
        tables = {name for (name,) in store.execute("SELECT name FROM sqlite_master")}
    assert {"runs", "experiments", "logged_models", "alembic_version"} <= tables
    assert [path.name for path in database.parent.glob("*.new")] == []


def test_the_stores_address_is_the_projects_own_unless_told(root, monkeypatch):
    assert tracking.tracking_uri(root) == f"sqlite:///{root}/mlflow/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", AWAY)
    assert tracking.tracking_uri(root) == AWAY
    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        Store(root).start({"stage": "train", "tags": {}, "params": {}})


def test_what_a_dead_dagster_run_left_running_is_closed(root, monkeypatch):
    monkeypatch.setenv("GEOMAG_RUN_ID", "dagster-1")
    left = tracking.Run(
        root,
        {
            "op": "start",
            "stage": "base",
            "params": {},
            "tags": {"dagster.run_id": "dagster-1", "owner": "elsewhere-gone:"},
        },
    )
    with tracking.run(stage="train", root=root) as alive:
        assert tracking.close_runs("dagster-1", root=root) == 1
        assert client(root).get_run(left.id).info.status == "KILLED"
        assert client(root).get_run(alive.id).info.status == "RUNNING"


def test_the_stages_of_one_dagster_run_are_children_of_one_candidate(root, monkeypatch):
    for dagster, stage in (("dagster-1", "base"), ("dagster-1", "train"), ("dagster-2", "train")):
        monkeypatch.setenv("GEOMAG_RUN_ID", dagster)
        with tracking.run(stage=stage, params={"of": dagster}, root=root):
            pass
    parents = {run.data.tags["dagster.run_id"]: run for run in runs(root, "candidate")}
    assert set(parents) == {"dagster-1", "dagster-2"}
    assert {run.info.status for run in parents.values()} == {"FINISHED"}
    children = [*runs(root, "base"), *runs(root, "train")]
    assert len(children) == 3
    for child in children:
        parent = parents[child.data.tags["dagster.run_id"]]
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id


def test_a_stage_in_a_shell_has_no_parent(root, monkeypatch):
    monkeypatch.delenv("GEOMAG_RUN_ID", raising=False)
    with tracking.run(stage="train", root=root):
        pass
    (stored,) = runs(root, "train")
    assert "mlflow.parentRunId" not in stored.data.tags
    assert runs(root, "candidate") == []


HOLD = """
import sqlite3, sys, time
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def hold(database: Path, seconds: float) -> subprocess.Popen:
    command = [sys.executable, "-c", HOLD, str(database), str(seconds)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    return holder


def test_f37_a_locked_store_is_waited_for(root):
    Store(root).start({"stage": "train", "tags": {}, "params": {}})
    holder = hold(root / "mlflow" / "mlflow.db", 20)  # longer than all tries of a server
    assert Store(root).search(["train"], "", (), 5)
    assert holder.wait() == 0


def test_f37_who_holds_a_store_for_longer_is_said(root, monkeypatch):
    monkeypatch.setattr("geomag.tracking.store.LOCKED_S", 1.0)
    store = Store(root)
    holder = hold(root / "mlflow" / "mlflow.db", 600)
    try:
        with pytest.raises(TrackerDownError, match=f"locked for 1 s by process {holder.pid} "):
            store.search(["train"], "", (), 5)
    finally:
        holder.kill()
        holder.communicate()


@pytest.mark.parametrize("kind", ["another program's", "no database"])
def test_a_database_that_is_not_mlflows_is_left_alone(tmp_path, kind):
    database = tmp_path / "theirs.db"
    if kind == "no database":
        database.write_text("settings of another program, and no database at all\n")
    else:
        with closing(sqlite3.connect(database)) as theirs:
            theirs.execute("CREATE TABLE their_own (id INTEGER)")
            theirs.commit()
    before = database.read_bytes()
    with pytest.raises(ToolError, match="Remedy: name another file with MLFLOW_TRACKING_URI"):
        create_tables(database)
    assert database.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.db"]
