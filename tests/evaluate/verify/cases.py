"""A line with its whole record: code, settings, data, weights, answers, scores, report and git."""

import json
import subprocess

import yaml

from geomag.data.records import read_records
from geomag.evaluate.candidate import PARTS, collect, keep
from geomag.io import file_digest
from geomag.manifest import publish, write_manifest
from geomag.tracking import log_scores, run, sync
from geomag.tracking.registry import Registry
from geomag.versions import path_md5
from tests.conftest import copy_store
from tests.evaluate.promotion_cases import BENCHMARK, answer, make_line, track_data

SCORE = f"artifacts/scores/{BENCHMARK}.json"
ANSWERS = f"artifacts/predictions/{BENCHMARK}/magcrop.jsonl"
RECORDS = f"artifacts/records/{BENCHMARK}/records.jsonl"
METRICS = {"average": 0.667}


def recorded_line(root):
    """The line without MLflow, committed."""
    make_line(root)
    track_data(root)
    answer(root, "one", lambda i: i % 3 > 0, _parts(root))
    (root / "lib").mkdir()
    for name in ("model", "score"):
        (root / "lib" / f"{name}.py").write_text(f'"""{name}"""\n')
    (root / "profile.yaml").write_text("train: {lr: 0.1, steps: 3}\n")
    score = root / SCORE
    score.parent.mkdir()
    protocol = {"predictions_sha256": file_digest(root / ANSWERS)}
    score.write_text(json.dumps({"metrics": METRICS, "protocol": protocol}))
    cells = root / "artifacts" / "report" / "cells.json"
    cells.parent.mkdir()
    names = {"score_sha256": file_digest(score), **protocol}
    ids = [f"3/{BENCHMARK}/test/magcrop/{metric}" for metric in ("average", "presence")]
    cells.write_text(json.dumps([{"id": one, **names} for one in ids]))
    (root / "artifacts" / "report" / "tables.md").write_text("66.7")
    _lock(root)
    (root / ".gitignore").write_text("/data\n/artifacts\n/mlflow\n/work\n/.dvc\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "the code that ran")
    return root


def tracked_line(root, empty_store):
    """The same with runs in MLflow and a champion."""
    recorded_line(root)
    copy_store(empty_store, root)
    md5s = {part: path_md5(root / "artifacts" / "models" / part) for part in PARTS}
    for stage, parts in {"base": PARTS[:1], "train": PARTS[2:]}.items():
        with run(stage=stage, root=root) as training:
            for part in parts:
                training.log_part(part, md5=md5s[part], params={})
    scores = json.loads((root / SCORE).read_text())
    data = path_md5(root / "data" / BENCHMARK)
    log_scores(BENCHMARK, "magcrop", scores, dataset_md5=data, model_md5=md5s["adapter"], root=root)
    assert sync(root) == 1
    candidate = keep(collect(root, lambda name: read_records(root / RECORDS)), root)
    registry = Registry(root)
    number = registry.register(candidate.digest, candidate.models, {})
    registry.promote(number, expected=None, reason="the first")
    return root


def edit_lock(root, change):
    """Rewrite ``dvc.lock`` after ``change(stages)``."""
    lock = yaml.safe_load((root / "dvc.lock").read_text())
    change(lock["stages"])
    (root / "dvc.lock").write_text(yaml.safe_dump(json.loads(json.dumps(lock))))


def git(root, *arguments):
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def _parts(root):
    """Sealed parts: the base pins a pretrained file, adapter and decoder name their base."""
    (root / "pretrained").mkdir()
    (root / "pretrained" / "model.safetensors").write_text("pretrained")
    pin = {"model.safetensors": file_digest(root / "pretrained" / "model.safetensors")}
    base = ""
    for part in PARTS:
        with publish(root / "artifacts" / "models" / part) as out:
            (out / "weights.txt").write_text(f"{part} one")
            if part == "base":
                pins = {"vlm": {"path": "pretrained", "sha256": pin}}
                (out / "manifest.json").write_text(json.dumps(pins))
            facts = {"base": base} if part in ("adapter", "decoder") else {}
            digest = write_manifest(out, **facts)
        base = base or digest
    return {part: path_md5(root / "artifacts" / "models" / part) for part in PARTS}


def _lock(root):
    def add(stages):
        def entry(path):
            return {"path": path, "md5": path_md5(root / path)}

        stages["train"]["params"] = {"profile.yaml": {"train": {"lr": 0.1, "steps": 3}}}
        for stage in ("train", f"predict@{BENCHMARK}-magcrop"):
            stages[stage]["deps"].append(entry("lib/model.py"))
        read = [entry(f"artifacts/predictions/{BENCHMARK}"), entry("lib/score.py")]
        stages[f"score@{BENCHMARK}"] = {"cmd": "score", "deps": read, "outs": [entry(SCORE)]}
        stages["report"] = {"cmd": "report", "outs": [entry("artifacts/report")]}

    edit_lock(root, add)
