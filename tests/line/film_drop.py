"""New labels while the daemon runs, as pictures: ``python -m tests.line.film_drop FOLDER``.

A small project of its own, `make ui`'s servers, three drops: new labels (one run, the gate, the
alias), the same again (no run), corrupt ones (refused, nothing moves). Asserts what it pictures.
Takes two small lines and Chromium. `docs/howto/retrain.md` shows the outcome.
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
import time
import urllib.request
from collections.abc import Callable
from html import escape
from pathlib import Path

import yaml
from PIL import Image

from geomag.tracking.registry import Registry
from geomag.versions import tracked_tree, tree_md5
from tests.line.project import Project, environment, make_project

BROWSER = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
QUIET = ("--no-first-run", "--disable-background-networking", "--disable-component-update")
SENSOR = {
    "repositoryName": "__repository__",
    "repositoryLocationName": "geomag",
    "sensorName": "new_data",
}
DEADLINE_S = 3600


class Film:
    """Pictures of pages and of what a shell prints, numbered as they are taken."""

    def __init__(self, out: Path, root: Path, port: int, mlflow_port: int) -> None:
        self.out, self.root, self.port, self.mlflow_port = out, root, port, mlflow_port
        self.taken = 0

    def dagster(self, path: str) -> None:
        self._take(f"http://127.0.0.1:{self.port}/{path}", 1400, 860)

    def mlflow(self, path: str) -> None:
        self._take(f"http://127.0.0.1:{self.mlflow_port}/#/{path}", 1400, 700)

    def shell(self, command: str, printed: str) -> None:
        text = escape(f"$ {command}\n{printed.strip()}").replace(f"{self.root}/", "")
        style = "background:#111;color:#ddd;font:15px DejaVu Sans Mono,monospace;padding:18px"
        page = f'<body style="{style}"><pre style="white-space:pre-wrap">{text}</pre></body>'
        with tempfile.NamedTemporaryFile("w", suffix=".html", delete=False) as file:
            file.write(page)
        self._take(f"file://{file.name}", 1100, 110 + 20 * (printed.count("\n") + 2))
        Path(file.name).unlink()

    def _take(self, url: str, width: int, height: int) -> None:
        self.taken += 1
        path = self.out / f"drop-{self.taken}.png"
        with tempfile.TemporaryDirectory() as profile:
            options = [f"--user-data-dir={profile}", f"--window-size={width},{height}"]
            options += ["--virtual-time-budget=20000", f"--screenshot={path}"]
            command = [*BROWSER, *QUIET, *options, url]
            subprocess.run(command, capture_output=True, timeout=300, check=True)
        picture = Image.open(path).convert("RGB").quantize(64)  # flat colours: a third of the size
        picture.save(path, optimize=True)
        assert path.stat().st_size < 200_000


class Dagster:
    """The webserver's GraphQL."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables: object) -> dict:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            answer = json.load(reply)
        assert "errors" not in answer, answer
        return answer["data"]

    def switch_on(self, cursor: str) -> None:
        """Start the sensor as from a state it knows: switching it on retrains nothing."""
        given = "$s: SensorSelector!"
        self.ask(
            f"mutation({given}, $c: String) {{ setSensorCursor(sensorSelector: $s, cursor: $c) "
            "{ __typename } }",
            s=SENSOR,
            c=cursor,
        )
        self.ask(
            f"mutation({given}) {{ startSensor(sensorSelector: $s) {{ __typename }} }}", s=SENSOR
        )

    def runs(self) -> list[dict]:
        """The runs that the sensor asked for, newest first."""
        query = """query($f: RunsFilter) { runsOrError(filter: $f) { ... on Runs {
            results { runId status } } } }"""
        tags = [{"key": "dagster/sensor_name", "value": "new_data"}]
        return self.ask(query, f={"tags": tags})["runsOrError"]["results"]

    def ticks(self) -> list[dict]:
        """Of the sensor, newest first."""
        query = """query($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor {
            sensorState { ticks(limit: 5) { timestamp status skipReason } } } } }"""
        found = self.ask(query, s=SENSOR)["sensorOrError"]["sensorState"]
        return list(found["ticks"])


def wait_for(claim: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    end = time.monotonic() + deadline_s
    while True:
        try:
            if claim():
                return
        except OSError:  # the servers are coming up
            pass
        assert time.monotonic() < end, "deadline passed"
        time.sleep(1)


def make_drop(project: Project, folder: Path, *, first: int, n: int = 4) -> Path:
    """New train refs of RRSIS-D on new scenes, with ids from ``first`` on."""
    drawn = folder / "drawn"
    options = ("--benchmark", "rrsis_d", "--seed", str(first), "--scale", "0.06")
    project.python("-m", "geomag", "data", "sample", "--out", str(drawn), *options)
    source, drop = drawn / "rrsis_d", folder / "drop"
    (refs_path,) = source.rglob("refs(unc).p")
    (instances_path,) = source.rglob("instances.json")
    tree = json.loads(instances_path.read_text())
    refs = [r for r in pickle.loads(refs_path.read_bytes()) if r["split"] == "train"][:n]
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


def add(project: Project, drop: Path) -> subprocess.CompletedProcess[str]:
    """`geomag data add`, whatever becomes of it."""
    command = [sys.executable, "-m", "geomag", "data", "add", str(drop), "--benchmark", "rrsis_d"]
    return subprocess.run(
        command, cwd=project.root, env=environment(), capture_output=True, text=True, check=False
    )


def film(project: Project, out: Path, scratch: Path) -> None:
    """The three drops; the line has run and there is a champion."""
    ports = [_free_port(), _free_port()]
    pictures, dagster = Film(out, project.root, *ports), Dagster(ports[0])
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
        wait_for(lambda: dagster.ticks() is not None, 300)
        _new_labels(project, pictures, dagster, make_drop(project, scratch / "new", first=90001))
        _the_same_again(project, pictures, dagster, scratch / "new" / "drop")
        _corrupt(project, pictures, dagster, make_drop(project, scratch / "bad", first=91001))
    finally:
        servers.send_signal(signal.SIGTERM)
        servers.wait(120)


def _new_labels(project: Project, pictures: Film, dagster: Dagster, drop: Path) -> None:
    champion = Registry(project.root).champion()
    assert champion is not None
    dagster.ask("mutation { setNuxSeen }")  # no greeting before the pictures
    dagster.switch_on(tree_md5(tracked_tree(project.root) or ()))
    wait_for(lambda: [t for t in dagster.ticks() if "still" in (t["skipReason"] or "")])
    begun = time.time()
    done = add(project, drop)
    assert done.returncode == 0, done.stderr
    pictures.shell("geomag data add ~/drop --benchmark rrsis_d", done.stdout)
    training = project.root / "work" / "logs" / "train.log"
    wait_for(lambda: training.stat().st_mtime > begun)  # what comes before it has run by then
    pictures.dagster(f"runs/{dagster.runs()[0]['runId']}")
    wait_for(lambda: dagster.runs()[0]["status"] not in ("QUEUED", "STARTING", "STARTED"))
    (run,) = dagster.runs()
    assert run["status"] == "SUCCESS"
    pictures.dagster("locations/geomag/sensors/new_data")
    pictures.dagster("assets/model/champion?view=checks")
    candidate = Registry(project.root).champion()
    if candidate and candidate.number == champion.number:  # as the gate of a toy should decide
        said = project.python(
            "-m", "geomag", "promote", "--accept", "new train labels, a toy's test"
        )
        pictures.shell('geomag promote --accept "new train labels, a toy\'s test"', said)
        candidate = Registry(project.root).champion()
    assert candidate is not None
    assert candidate.number != champion.number
    pictures.mlflow("models/geomag")


def _the_same_again(project: Project, pictures: Film, dagster: Dagster, drop: Path) -> None:
    done = add(project, drop)
    assert "is there already" in done.stdout
    _await_tick(dagster)
    assert len(dagster.runs()) == 1
    pictures.shell("geomag data add ~/drop --benchmark rrsis_d   # the same again", done.stdout)


def _corrupt(project: Project, pictures: Film, dagster: Dagster, drop: Path) -> None:
    champion = Registry(project.root).champion()
    (path,) = drop.rglob("instances.json")
    tree = json.loads(path.read_text())
    x0, y0, x1, y1 = tree["annotations"][1]["bbox"]
    tree["annotations"][1]["bbox"] = [x1, y0, x0, y1]
    path.write_text(json.dumps(tree))
    done = add(project, drop)
    assert done.returncode == 2
    assert "annotation 91002, bbox" in done.stderr
    _await_tick(dagster)
    assert len(dagster.runs()) == 1
    assert Registry(project.root).champion() == champion
    pictures.shell("geomag data add ~/corrupt --benchmark rrsis_d; echo $?", f"{done.stderr}2")
    pictures.dagster("locations/geomag/sensors/new_data")


def _await_tick(dagster: Dagster) -> None:
    """The sensor has looked once more since now, and found nothing."""
    now = time.time()
    wait_for(lambda: dagster.ticks()[0]["timestamp"] > now, 300)
    assert dagster.ticks()[0]["status"] == "SKIPPED"


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
        project = (
            Project(chosen.project) if chosen.project else make_project(Path(scratch) / "geomag")
        )
        if not chosen.project:
            project.python("-m", "geomag_dagster.run", "retrain")
        film(project, chosen.out.resolve(), Path(scratch))


if __name__ == "__main__":
    main()
