"""A project that has been predicted and scored, in miniature: what the gate and lineage read."""

import hashlib
import json
from pathlib import Path

import yaml

from geomag.data.records import write_records
from geomag.evaluate.candidate import PARTS
from geomag.manifest import publish, write_manifest
from geomag.versions import path_md5, tree_md5
from tests.evaluate.score.cases import question

N_IMAGES, PER_IMAGE = 120, 4
BENCHMARK = "rsvqa_lr"
ROWS = [
    question(i, i // PER_IMAGE, "presence" if i % 2 else "comp", "yes", benchmark=BENCHMARK)
    for i in range(N_IMAGES * PER_IMAGE)
]


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def make_line(root: Path) -> Path:
    """Records and pictures; `answer` adds a model and its answers."""
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "params.yaml").write_text("profile: sample\n")
    records = root / "artifacts" / "records" / BENCHMARK / "records.jsonl"
    write_records(records, ROWS)
    for image in {row.image for row in ROWS}:
        path = root / "data" / BENCHMARK / image
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"picture {image}")
    return root


def write_parts(root: Path, weights: str) -> dict[str, str]:
    """Folders that are sealed as the real parts are; returns DVC's md5s."""
    models = root / "artifacts" / "models"
    for part in PARTS:
        with publish(models / part) as out:
            (out / "weights.txt").write_text(f"{part} {weights}")
            write_manifest(out)
    return {part: path_md5(models / part) for part in PARTS}


def answer(root: Path, weights: str, right, models: dict[str, str] | None = None) -> None:
    """Answers of the model called ``weights``, right where ``right(i)`` is, as DVC records them.

    ``models`` are the md5s of its parts; made up without them.
    """
    path = root / "artifacts" / "predictions" / BENCHMARK / "magcrop.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"id": r.id, "text": "yes" if right(int(r.id)) else "no"} for r in ROWS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    models = models or {
        part: md5(part if part in ("base", "granularity") else f"{part} {weights}") + ".dir"
        for part in PARTS
    }
    outs = [{"path": f"artifacts/models/{p}", "md5": m} for p, m in models.items()]
    data = [
        {"path": path, "md5": path_md5(root / path)}
        for path in (f"data/{BENCHMARK}", f"artifacts/records/{BENCHMARK}")
    ]
    predicted = {
        "path": f"artifacts/predictions/{BENCHMARK}/magcrop.jsonl",
        "md5": md5(path.read_text()),
    }
    stages = {
        "base": {"cmd": "base", "outs": outs[:1]},
        "granularity": {"cmd": "granularity", "outs": outs[1:2]},
        "train": {"cmd": "train", "deps": [*data, *outs[:2]], "outs": outs[2:]},
        f"predict@{BENCHMARK}-magcrop": {"deps": [*data, *outs], "outs": [predicted]},
    }
    # through JSON, so that YAML writes no aliases, which DVC does not
    (root / "dvc.lock").write_text(
        yaml.safe_dump({"schema": "2.0", "stages": json.loads(json.dumps(stages))})
    )


def track_data(root: Path) -> None:
    """What `dvc add data` leaves: the pointer, and the listing in the cache."""
    files = sorted(path for path in (root / "data").rglob("*") if path.is_file())
    entries = [(path.relative_to(root / "data").as_posix(), path_md5(path)) for path in files]
    version = tree_md5(entries)
    listing = root / ".dvc" / "cache" / "files" / "md5" / version[:2] / version[2:]
    listing.parent.mkdir(parents=True, exist_ok=True)
    listing.write_text(json.dumps([{"relpath": path, "md5": md5} for path, md5 in entries]))
    (root / "data.dvc").write_text(yaml.safe_dump({"outs": [{"md5": version, "path": "data"}]}))
