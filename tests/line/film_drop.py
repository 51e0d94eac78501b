"""New labels while the daemon runs, as pictures: ``python -m tests.line.film_drop FOLDER``.

A small project of its own, `make ui`'s servers, and three folders copied into ``incoming/rrsis_d/``
by hand: new labels (taken in, one run, the gate, the alias), the same again (no run), corrupt ones
(refused, nothing moves). Asserts what it pictures. Takes two small lines and Chromium.
`docs/howto/retrain.md` shows the outcome.
"""

import argparse
import json
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import dagster as dg
import requests
import yaml
from dagster_graphql import DagsterGraphQLClientError

from geomag.data.benchmarks.registry import read_benchmark
from geomag.tracking.registry import OUTCOME, REASON, Registry
from geomag.versions import path_md5, tracked_tree, tree_md5
from tests.geomag_dagster.dev import Loop
from tests.geomag_dagster.test_supervise import wait_for
from tests.line.film import Film
from tests.line.project import Project, environment, make_project

DEADLINE_S = 3600
N_DROPPED = 4


def make_drop(project: Project, folder: Path, *, first: int) -> Path:
    """New train refs of RRSIS-D on new scenes, with ids from ``first`` on."""
    drawn = folder / "drawn"
    options = ("--benchmark", "rrsis_d", "--seed", str(first), "--scale", "0.06")
    project.python("-m", "geomag", "data", "sample", "--out", str(drawn), *options)
    source, drop = drawn / "rrsis_d", folder / "drop"
    (refs_path,) = source.rglob("refs(unc).p")
    (instances_path,) = source.rglob("instances.json")
    tree = json.loads(instances_path.read_text())
    refs = [r for r in pickle.loads(refs_path.read_bytes()) if r["split"] == "train"][:N_DROPPED]
    images = {row["id"]: row for row in tree["images"]}
    annotations = {row["id"]: row for row in tree["annotations"]}
    kept: dict[str, list] = {"images": [], "annotations": []}
    for new, ref in enumerate(refs, start=first):
        picture = next(source.rglob(ref["file_name"]))
        name = f"{new:05}{picture.suffix}"
        target = drop / picture.relative_to(source).with_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(picture.read_bytes())
        kept["images"].append(images[ref["image_id"]] | {"id": new, "file_name": name})
        kept["annotations"].append(annotations[ref["ann_id"]] | {"id": new, "image_id": new})
        ref |= {"ref_id": new, "ann_id": new, "image_id": new, "file_name": name}
    for path, content in (
        (refs_path, pickle.dumps(refs, protocol=2)),
        (instances_path, json.dumps({**tree, **kept}).encode()),
    ):
        (drop / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
        (drop / path.relative_to(source)).write_bytes(content)
    return drop


def make_film_project(root: Path) -> Project:
    """The small project, with answers and scores of one benchmark: the film is about the loop."""
    project = make_project(root)
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["predictions"] = {"rrsis_d-magcrop": params["predictions"]["rrsis_d-magcrop"]}
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    line = yaml.safe_load((root / "dvc.yaml").read_text())
    line["stages"]["score"]["foreach"] = ["rrsis_d"]
    (root / "dvc.yaml").write_text(yaml.safe_dump(line, sort_keys=False))
    for name in ("scores", "predictions"):  # of the commit, which the report would read
        shutil.rmtree(root / "artifacts" / name, ignore_errors=True)
    project.python("-m", "geomag_dagster.run", "retrain")
    return project


class Scene:
    """The project at one moment, as far as a drop could change it."""

    def __init__(self, root: Path) -> None:
        self.version = tree_md5(tracked_tree(root) or ())
        self.data = path_md5(root / "data")
        self.ids = [record.id for record in read_benchmark("rrsis_d", root / "data" / "rrsis_d")]
        champion = Registry(root).champion()
        assert champion is not None
        self.champion = champion.number

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


def film(project: Project, out: Path, scratch: Path) -> None:
    """The three drops; the line has run and there is a champion."""
    ports = [_free_port(), _free_port()]
    pictures = Film(out, project.root, *ports)
    loop = Loop(ports[0], "geomag", deadline_s=DEADLINE_S)
    drop = make_drop(project, scratch / "new", first=90001)
    corrupt = _corrupted(make_drop(project, scratch / "bad", first=91001))
    command = [sys.executable, "-m", "geomag_dagster.ui", "--port", str(ports[0])]
    command += ["--mlflow-port", str(ports[1])]
    servers = subprocess.Popen(
        command,
        cwd=project.root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: _answers(ports), DEADLINE_S, every_s=1)
        _switch_on(project, loop)
        _new_labels(project, pictures, loop, drop)
        _the_same_again(project, pictures, loop, drop)
        _corrupt(project, pictures, loop, corrupt)
    finally:
        servers.send_signal(signal.SIGTERM)
        servers.wait(120)


def _switch_on(project: Project, loop: Loop) -> None:
    """`new_data` as from a version it knows: switching it on retrains nothing."""
    loop.ask("mutation { setNuxSeen }")  # no greeting before the pictures
    loop.set_cursor("new_data", tree_md5(tracked_tree(project.root) or ()))
    for sensor in ("new_data", "incoming_drop"):
        loop.switch_on(sensor)
    loop.wait(lambda: loop.ticks("new_data") and loop.ticks("incoming_drop"))
    loop.await_looks("new_data", "data.dvc is still")
    loop.await_looks("incoming_drop", "nothing in incoming/")
    assert loop.statuses("retrain") == ["SUCCESS"]  # the one that made the line
    assert loop.statuses("take_drop") == []


def _copy(project: Project, drop: Path, name: str) -> Path:
    """By hand, as a user with a file manager or ``cp -r`` does it."""
    return Path(shutil.copytree(drop, project.root / "incoming" / "rrsis_d" / name))


def _new_labels(project: Project, pictures: Film, loop: Loop, drop: Path) -> None:
    before = Scene(project.root)
    training = project.root / "work" / "logs" / "train.log"
    trained = training.stat().st_mtime
    here = _copy(project, drop, "march")
    listing = sorted(str(path.relative_to(here.parents[2])) for path in here.rglob("*.*"))
    pictures.shell(
        "cp -r ~/drop incoming/rrsis_d/march; find incoming -type f | sort", "\n".join(listing)
    )
    loop.await_runs("take_drop", "SUCCESS")
    after = Scene(project.root)
    assert after.version != before.version
    added = [f"{number}" for number in range(90001, 90001 + N_DROPPED)]
    assert [i for i in after.ids if i not in before.ids] == added
    assert set(before.ids) < set(after.ids)
    assert after.champion == before.champion
    assert not here.exists()
    assert len(list((project.root / "incoming").glob("rrsis_d-*"))) == 1
    pictures.dagster(f"runs/{loop.runs('take_drop')[0]['runId']}")

    loop.wait(lambda: len(loop.runs("retrain")) == 2)
    loop.wait(lambda: training.stat().st_mtime > trained)  # what comes before it has run by then
    pictures.dagster(f"runs/{loop.runs('retrain')[0]['runId']}")
    loop.await_runs("retrain", "SUCCESS", "SUCCESS")
    loop.await_looks("new_data", f"data.dvc is still {after.version}")
    assert loop.statuses("retrain") == ["SUCCESS", "SUCCESS"]
    pictures.dagster("locations/geomag/sensors/new_data")
    pictures.dagster("assets/model/champion?view=checks")
    _the_alias(project, pictures, before.champion)


def _the_alias(project: Project, pictures: Film, before: str) -> None:
    """It is where the gate's word puts it; where that is keep, a person may move it."""
    registry, candidate = Registry(project.root), _candidate(project)
    judged, champion = registry.find(candidate), registry.champion()
    assert judged is not None
    assert champion is not None
    assert int(judged.number) > int(before)
    assert judged.tags[REASON]
    promoted = judged.tags[OUTCOME] == "promote"
    assert champion.number == (judged.number if promoted else before)
    if not promoted:
        said = project.python(
            "-m", "geomag", "promote", "--accept", "new train labels, a toy's test"
        )
        pictures.shell('geomag promote --accept "new train labels, a toy\'s test"', said)
        champion = registry.champion()
        assert champion is not None
    assert champion.candidate == candidate  # packed now, hence under a number of its own
    pictures.mlflow("models/geomag")


def _candidate(project: Project) -> str:
    """Digest of what the gate judged last, as the asset of the champion tells it."""
    with project.instance() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["model", "champion"]))
    assert event is not None
    assert event.asset_materialization is not None
    return str(event.asset_materialization.metadata["candidate"].value)


def _the_same_again(project: Project, pictures: Film, loop: Loop, drop: Path) -> None:
    before = Scene(project.root)
    here = _copy(project, drop, "march-again")
    loop.await_runs("take_drop", "SUCCESS", "SUCCESS")
    loop.await_looks("new_data", f"data.dvc is still {before.version}")
    loop.await_looks("incoming_drop", "nothing in incoming/")
    assert loop.statuses("retrain") == ["SUCCESS", "SUCCESS"]
    assert Scene(project.root) == before
    assert not here.exists()
    pictures.dagster("runs")


def _corrupt(project: Project, pictures: Film, loop: Loop, drop: Path) -> None:
    before = Scene(project.root)
    here = _copy(project, drop, "april")
    loop.await_runs("take_drop", "FAILURE", "SUCCESS", "SUCCESS")
    loop.await_looks("incoming_drop", "rrsis_d/april: refused, rrsis_d.april.REFUSED.txt says why")
    loop.await_looks("new_data", f"data.dvc is still {before.version}")
    assert loop.statuses("take_drop") == ["FAILURE", "SUCCESS", "SUCCESS"]
    assert loop.statuses("retrain") == ["SUCCESS", "SUCCESS"]
    assert Scene(project.root) == before
    assert here.is_dir()
    note = (project.root / "incoming" / "rrsis_d.april.REFUSED.txt").read_text()
    assert "annotation 91002, bbox" in note
    pictures.shell("cat incoming/rrsis_d.april.REFUSED.txt", note)
    pictures.dagster("runs")
    pictures.dagster("locations/geomag/sensors/incoming_drop")


def _corrupted(drop: Path) -> Path:
    """The same drop with one box whose sides are the wrong way round."""
    (path,) = drop.rglob("instances.json")
    tree = json.loads(path.read_text())
    x0, y0, x1, y1 = tree["annotations"][1]["bbox"]
    tree["annotations"][1]["bbox"] = [x1, y0, x0, y1]
    path.write_text(json.dumps(tree))
    return drop


def _answers(ports: list[int]) -> bool:
    """Whether both servers are up, with our definitions loaded."""
    try:
        requests.get(f"http://127.0.0.1:{ports[1]}/health", timeout=5)
        return Loop(ports[0], "geomag").ticks("incoming_drop") == []
    except (requests.RequestException, DagsterGraphQLClientError, KeyError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Make the project unless one is given, and film."""
    parser = argparse.ArgumentParser(prog="python -m tests.line.film_drop")
    parser.add_argument("out", type=Path, help="gets drop-1.png and so on")
    parser.add_argument("--project", type=Path, help="made before, with a champion")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="geomag-film-") as scratch:
        made = Path(scratch) / "geomag"
        project = Project(chosen.project) if chosen.project else make_film_project(made)
        film(project, chosen.out.resolve(), Path(scratch))


if __name__ == "__main__":
    main()
