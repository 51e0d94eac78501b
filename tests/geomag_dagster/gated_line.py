"""The stages of a small line of RRSIS-D up to its answers; run as a script in its project.

``python line.py records|train|predict``. Its model outlines as many of every five test objects as
it has train records: it gets better with each drop, and the gate can tell.
"""

import json
import sys
from pathlib import Path

from geomag.data.benchmarks.registry import read_benchmark
from geomag.data.records import Split, read_records, write_records
from geomag.evaluate.candidate import PARTS
from geomag.manifest import publish, write_manifest

RECORDS, MODELS = Path("artifacts/records/rrsis_d"), Path("artifacts/models")
ANSWERS = Path("artifacts/predictions/rrsis_d/magcrop.jsonl")
OUTS = [str(MODELS / part) for part in PARTS]
LINE = {
    "vars": [{"names": ["rrsis_d"]}],
    "stages": {
        "validate": {
            "foreach": "${names}",
            "do": {
                "cmd": "python line.py records",
                "deps": ["data/${item}", "line.py"],
                "outs": ["artifacts/records/${item}"],
            },
        },
        "train": {"cmd": "python line.py train", "deps": [str(RECORDS)], "outs": OUTS},
        "predict": {
            "foreach": ["rrsis_d-magcrop"],
            "do": {
                "cmd": "python line.py predict",
                "deps": [str(RECORDS), *OUTS],
                "outs": [str(ANSWERS)],
            },
        },
        "score": {
            "foreach": "${names}",
            "do": {
                "cmd": f"python tool.py score {ANSWERS} artifacts/scores/${{item}}.json",
                "deps": [str(ANSWERS)],
                "metrics": [{"artifacts/scores/${item}.json": {"cache": False}}],
            },
        },
    },
}


def records() -> None:
    write_records(RECORDS / "records.jsonl", read_benchmark("rrsis_d", Path("data/rrsis_d")))
    (RECORDS / "report.json").write_text(json.dumps({"is_valid": True, "outcomes": []}))


def train() -> None:
    known = read_records(RECORDS / "records.jsonl")
    n_train = sum(record.split is Split.TRAIN for record in known)
    for part in PARTS:
        with publish(MODELS / part) as out:
            (out / "n_train").write_text(str(n_train))
            write_manifest(out)


def predict() -> None:
    n_train = int((MODELS / "adapter" / "n_train").read_text())
    known = read_records(RECORDS / "records.jsonl")
    tests = [record.to_json() for record in known if record.split is Split.TEST]
    rows = [
        {"id": row["id"], "masks": row["masks"] if i % 5 < n_train else []}
        for i, row in enumerate(tests)
    ]
    ANSWERS.parent.mkdir(parents=True, exist_ok=True)
    ANSWERS.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    {"records": records, "train": train, "predict": predict}[sys.argv[1]]()
