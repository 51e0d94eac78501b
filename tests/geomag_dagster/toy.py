"""Small DVC projects whose stages have our names and whose commands take no time."""

from pathlib import Path
from typing import Any

import yaml

from geomag_dagster.dvc import DvcResource
from geomag_dagster.stages import Stage, read_stages

TOOL = """
import json, pathlib, sys, time

def write(path, text):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

verb, *rest = sys.argv[1:]
print("tool", verb, *rest, flush=True)
if verb == "records":
    source, out = rest
    text = pathlib.Path(source).read_text()
    write(f"{out}/records.jsonl", text)
    broken = [{"severity": "critical", "is_met": False}] if "bad" in text else []
    write(f"{out}/report.json", json.dumps({"is_valid": not broken, "outcomes": broken}))
    if "refused" in text:
        sys.exit("records refused")
elif verb == "model":
    source, *outs = rest
    for out in outs:
        write(f"{out}/weights", pathlib.Path(source).read_text().upper() + out)
        write(f"{out}/complete.json", json.dumps({"files": {}}))
elif verb == "score":
    source, out = rest
    count = len(pathlib.Path(source).read_text())
    score = {"benchmark": "aid", "split": "test", "n_records": count, "protocol": {}}
    score["metrics"], score["intervals"] = {"mean_iou": count / 100}, {"mean_iou": [0.1, 0.9]}
    score["baselines"] = {"always nothing": {"mean_iou": 0.0}}
    score["counts"] = {"images": 1, "missing": 0, "unparsed": 0, "missing_over_limit": False}
    write(out, json.dumps(score))
elif verb == "wait":
    started, gate, out = rest
    write(started, "")
    while not pathlib.Path(gate).exists():
        time.sleep(0.02)
    write(out, "done")
elif verb == "fail":
    sys.exit("the reason why")
"""

LINE: dict[str, Any] = {
    "vars": [{"names": ["aid"]}],
    "stages": {
        "validate": {
            "foreach": "${names}",
            "do": {
                "cmd": "python tool.py records data/${item}/labels.txt artifacts/records/${item}",
                "deps": ["data/${item}", "tool.py"],
                "outs": ["artifacts/records/${item}"],
            },
        },
        "train": {
            "cmd": "python tool.py model artifacts/records/aid/records.jsonl "
            "artifacts/models/adapter artifacts/models/decoder",
            "deps": ["artifacts/records/aid"],
            "outs": ["artifacts/models/adapter", "artifacts/models/decoder"],
        },
        "score": {
            "foreach": "${names}",
            "do": {
                "cmd": "python tool.py score artifacts/models/adapter/weights "
                "artifacts/scores/${item}.json",
                "deps": ["artifacts/models/adapter"],
                "metrics": [{"artifacts/scores/${item}.json": {"cache": False}}],
            },
        },
    },
}
"""Three kinds of stages, four assets: records -> adapter, decoder -> scores."""


def make_project(root: Path, pipeline: dict[str, Any] = LINE) -> Path:
    """Write a project without git: DVC's settings, the pipeline, its tool and a data set."""
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (root / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    (root / "tool.py").write_text(TOOL)
    (root / "data" / "aid").mkdir(parents=True)
    (root / "data" / "aid" / "labels.txt").write_text("a beach")
    return root


def one_stage(root: Path, **definition: Any) -> tuple[Stage, DvcResource]:
    """A project of one stage called ``work``, and a runner for it that waits for little."""
    make_project(root, {"stages": {"work": definition}})
    runner = DvcResource(root=str(root), grace_s=5, busy_wait_s=0.2)
    return read_stages(root)["work"], runner
