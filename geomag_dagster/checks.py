"""Checks on what a stage wrote; a blocking one that fails stops everything downstream.

They run in the step that made the asset: a check that fails there fails the step, and costs no
process of its own.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from geomag.evaluate.score.table import arms_of
from geomag_dagster.naming import asset_key
from geomag_dagster.stages import Stage

SHOWN = 20
"""Items of a list that go into the event log."""
LEAKAGE_SCHEMA = dg.TableSchema(
    [
        dg.TableColumn("test", "string", description="benchmark tested on"),
        dg.TableColumn("train", "string", description="benchmark trained on"),
        dg.TableColumn("kind", "string", description="same_file, alike or same_source"),
        dg.TableColumn("test_images", "int", description="test pictures concerned"),
        dg.TableColumn("of", "int", description="test pictures of the benchmark"),
    ]
)


def check_specs(stage: Stage, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks on one output of a stage."""
    name, blocking, description, _ = _CHECKS.get(stage.group, _NONE)
    if not name:
        return []
    return [dg.AssetCheckSpec(name, asset=key, blocking=blocking, description=description)]


def check_output(stage: Stage, out: str, *, root: Path) -> list[dg.AssetCheckResult]:
    """Run the checks on one output."""
    name, _, _, judge = _CHECKS.get(stage.group, _NONE)
    key = asset_key(out)
    if not name or judge is None or key is None:
        return []
    passed, severity, metadata = judge(root / out)
    return [
        dg.AssetCheckResult(
            passed=passed, asset_key=key, check_name=name, severity=severity, metadata=metadata
        )
    ]


def check_refused_records(stage: Stage, *, root: Path) -> list[dg.AssetCheckResult]:
    """What the report says of records that validation refused: it is all that was written."""
    if stage.group != "validate" or not (root / stage.outs[0] / "report.json").is_file():
        return []
    return check_output(stage, stage.outs[0], root=root)


Finding = tuple[bool, dg.AssetCheckSeverity, Mapping[str, Any]]


def records_are_valid(folder: Path) -> Finding:
    """The validation report beside the records: broken criticals block, others warn."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    broken = [outcome for outcome in report["outcomes"] if not outcome["is_met"]]
    severity = dg.AssetCheckSeverity.WARN if report["is_valid"] else dg.AssetCheckSeverity.ERROR
    metadata = {
        "error": report.get("error", ""),
        "counts": report.get("counts", {}),
        "broken": len(broken),
        "first": broken[:SHOWN],
    }
    return report["is_valid"] and not broken, severity, metadata


def model_is_whole(folder: Path) -> Finding:
    """The completion marker is there, and every file it names has the sha256 it names."""
    marker = folder / "complete.json"
    if not marker.is_file():
        return False, dg.AssetCheckSeverity.ERROR, {"missing": str(marker)}
    files: dict[str, str] = json.loads(marker.read_text(encoding="utf-8")).get("files", {})
    wrong = [name for name, digest in files.items() if _sha256(folder / name) != digest]
    metadata = {"files": len(files), "wrong": wrong[:SHOWN]}
    return not wrong, dg.AssetCheckSeverity.ERROR, metadata


def nothing_is_missing(path: Path) -> Finding:
    """Every record of the split was answered, in every arm."""
    arms = arms_of(json.loads(path.read_text(encoding="utf-8")))
    missing = {arm: int(score.get("counts", {}).get("missing", 0)) for arm, score in arms.items()}
    return not any(missing.values()), dg.AssetCheckSeverity.WARN, missing


def no_test_picture_is_trained_on(folder: Path) -> Finding:
    """The leakage audit's counts as a table; what it finds is told, and stops nothing."""
    report = json.loads((folder / "leakage.json").read_text(encoding="utf-8"))
    rows = [dg.TableRecord(row) for row in report["table"]]
    metadata = {
        "overlaps": dg.MetadataValue.table(rows, schema=LEAKAGE_SCHEMA),
        "pairs": len(report["overlaps"]),
        "first": [
            f"{_picture(o['test'])} and {_picture(o['train'])}: {o['kind']}"
            for o in report["overlaps"][:SHOWN]
        ],
        "drawn": report["drawn"],
        "page": dg.MetadataValue.path(str(folder / "leakage.md")),
    }
    return not rows, dg.AssetCheckSeverity.WARN, metadata


def _picture(row: Mapping[str, str]) -> str:
    return f"{row['benchmark']} {row['split']} {row['image']}"


def _sha256(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


Check = tuple[str, bool, str, Callable[[Path], Finding] | None]
_NONE: Check = ("", False, "", None)
_WHOLE: Check = ("weights_are_whole", True, "The files match their digests.", model_is_whole)
_CHECKS: dict[str, Check] = {
    "validate": (
        "records_are_valid",
        True,
        "No critical expectation failed.",
        records_are_valid,
    ),
    "leakage": (
        "no_test_picture_is_trained_on",
        False,
        "No test picture is, or looks like, a training picture of any benchmark.",
        no_test_picture_is_trained_on,
    ),
    "base": _WHOLE,
    "granularity": _WHOLE,
    "train": _WHOLE,
    "score": (
        "nothing_is_missing",
        False,
        "Every record of the split was answered.",
        nothing_is_missing,
    ),
}
