"""A cell made again in a clone: real git, real DVC, the real scorer; answers by a small script."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from geomag.data.records import write_records
from geomag.report.build import build_report
from geomag.report.reproduce import plan
from geomag.versions import read_lock
from tests.evaluate.promotion_cases import BENCHMARK, ROWS
from tests.line.project import environment

CELL = f"3/{BENCHMARK}/test/magcrop/average"
TOOL = """
import json, os, pathlib, sys

verb, source, out = sys.argv[1:]
out = pathlib.Path(out)
out.parent.mkdir(parents=True, exist_ok=True)
if verb == "records":
    out.mkdir(parents=True)
    (out / "records.jsonl").write_bytes(pathlib.Path(source).read_bytes())
elif verb == "train":
    out.mkdir(parents=True)
    (out / "weights").write_text("3")
    (out / "card").write_text("knows two of three")
else:
    skill = int((pathlib.Path(source) / "weights").read_text())
    rows = pathlib.Path("artifacts/records/rsvqa_lr/records.jsonl").read_text().splitlines()
    drift = int(os.environ.get("DRIFT", "0"))
    with out.open("w") as answers:
        for i, row in enumerate(map(json.loads, rows)):
            text = "yes" if i % skill and not (drift and i >= drift) else "no"
            answers.write(json.dumps({"id": row["id"], "text": text}) + "\\n")
"""
RECORDS, MODEL = f"artifacts/records/{BENCHMARK}", "artifacts/models/adapter"
ANSWERS, SCORES = f"artifacts/predictions/{BENCHMARK}", f"artifacts/scores/{BENCHMARK}.json"


def each(names, **definition):
    return {"foreach": names, "do": definition}


LINE = {
    "stages": {
        "validate": each(
            [BENCHMARK],
            cmd=f"python tool.py records data/{BENCHMARK}/records.jsonl {RECORDS}",
            deps=[f"data/{BENCHMARK}", "tool.py"],
            outs=[RECORDS],
        ),
        "train": {
            "cmd": f"python tool.py train {RECORDS} {MODEL}",
            "deps": [RECORDS],
            "params": [{"settings.yaml": ["train"]}],
            "outs": [MODEL],
        },
        "predict": each(
            [f"{BENCHMARK}-magcrop"],
            cmd=f"python tool.py predict {MODEL} {ANSWERS}/magcrop.jsonl",
            deps=[f"data/{BENCHMARK}", RECORDS, MODEL, "tool.py"],
            outs=[f"{ANSWERS}/magcrop.jsonl"],
        ),
        "score": each(
            [BENCHMARK],
            cmd=f"python -m geomag score {BENCHMARK} {ANSWERS} --json {SCORES}",
            deps=[ANSWERS, RECORDS],
            metrics=[{SCORES: {"cache": False}}],
        ),
    }
}


def run(root, *command, code=0, **variables):
    done = subprocess.run(
        command,
        cwd=root,
        env=environment() | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def git(root, *arguments):
    return run(root, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments)


def geomag(root, *arguments, code=0, **variables):
    return run(root, sys.executable, "-m", "geomag", *arguments, code=code, **variables)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    (root / "tool.py").write_text(TOOL)
    (root / "settings.yaml").write_text("train: {steps: 10}\n")
    (root / "params.yaml").write_text("profile: sample\n")
    (root / "dvc.yaml").write_text(yaml.safe_dump(LINE, sort_keys=False))
    (root / ".gitignore").write_text("/data\n/artifacts/*\n!/artifacts/scores/\n/work/\n/mlflow/\n")
    write_records(root / "data" / BENCHMARK / "records.jsonl", ROWS)
    git(root, "init", "-q")
    run(root, sys.executable, "-m", "dvc", "init", "-q")
    run(root, sys.executable, "-m", "dvc", "add", "-q", "data")
    run(root, sys.executable, "-m", "dvc", "repro", "-q")
    build_report(root / "artifacts" / "scores", root / "artifacts" / "report")
    git(root, "add", ".")
    git(root, "commit", "-qm", "A line")
    return root


@pytest.fixture
def project(made, tmp_path):
    shutil.copytree(made, tmp_path / "project", symlinks=True)
    return tmp_path / "project"


def files(folder: Path):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.integration
def test_a_cell_comes_out_the_same_and_the_project_is_not_touched(project):
    before = files(project / ".dvc" / "cache"), files(project / "artifacts")
    said = geomag(project, "reproduce", CELL, "--from", "train", "--json", "done.json")
    assert "the digits agree\nevery file that was made again is the same to the byte" in said
    done = json.loads((project / "done.json").read_text())
    assert done["stages"] == ["train", f"predict@{BENCHMARK}-magcrop", f"score@{BENCHMARK}"]
    average = json.loads((project / SCORES).read_text())["metrics"]["average"]
    assert done["recorded"].startswith(f"{100 * average:.2f} [")
    assert (files(project / ".dvc" / "cache"), files(project / "artifacts")) == before
    assert git(project, "status", "--porcelain", "--untracked-files=no") == ""


@pytest.mark.integration
def test_other_digits_end_with_1_and_the_first_record_that_differs_is_named(project, tmp_path):
    said = geomag(project, "reproduce", CELL, "--out", str(tmp_path / "kept"), code=1, DRIFT="17")
    assert "the digits differ" in said
    wanted = f"{ANSWERS}/magcrop.jsonl, line 18, record {ROWS[17].id}, text: 'yes', now 'no'"
    assert f"first difference: {wanted}" in said
    assert (tmp_path / "kept" / ANSWERS / "magcrop.jsonl").is_file()


@pytest.mark.integration
def test_what_cannot_be_that_cell_is_refused_with_2(project):
    def refusal(*options):
        return geomag(project, "reproduce", CELL, *options, code=2)

    assert "nearest" not in geomag(project, "reproduce", CELL[:-1], code=2)
    assert "git knows no commit 'v9'" in refusal("--commit", "v9")
    tool = project / "tool.py"
    tool.write_text(tool.read_text() + "# another version\n")
    git(project, "commit", "-qam", "Change the tool")
    assert "tool.py: commit" in refusal()
    assert "the digits agree" in geomag(project, "reproduce", CELL, "--commit", "HEAD~1")
    settings = project / "settings.yaml"
    settings.write_text("train: {steps: 20}\n")
    run(project, sys.executable, "-m", "dvc", "commit", "-q", "-f", "train")
    git(project, "commit", "-qam", "More steps")
    settings.write_text("train: {steps: 10}\n")
    git(project, "commit", "-qam", "Settings alone")
    assert "settings.yaml, train: commit" in refusal("--from", "train")
    answers = project / ANSWERS / "magcrop.jsonl"
    answers.write_text(answers.read_text() + "\n")
    assert "has changed since the report" in refusal()


@pytest.mark.integration
def test_versions_that_the_cache_has_lost_are_refused(project):
    (entry,) = read_lock(project)["train"]["outs"]
    path = project / ".dvc" / "cache" / "files" / "md5" / entry["md5"][:2] / entry["md5"][2:]
    path.unlink()
    said = geomag(project, "reproduce", CELL, code=2)
    assert "dvc checkout" in said
    assert "Remedy: dvc fetch, in the project" in said


def test_only_what_the_cell_needs_runs(made):
    stages = {s: v for s, v in read_lock(made).items() if not s.startswith("score")}
    other = {"deps": [{"path": MODEL}], "outs": [{"path": f"{ANSWERS}/plain.jsonl"}]}
    lock = read_lock(made) | {f"predict@{BENCHMARK}-plain": other, "crops@aid": stages["train"]}
    names = [f"predict@{BENCHMARK}-magcrop", f"score@{BENCHMARK}"]
    assert plan(lock, BENCHMARK, "magcrop", "predict") == names
    assert plan(lock, BENCHMARK, "magcrop", "score") == names[1:]
    everything = plan(read_lock(made), BENCHMARK, "magcrop", "validate")
    assert everything == [f"validate@{BENCHMARK}", "train", *names]
