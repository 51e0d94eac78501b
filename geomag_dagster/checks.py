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

from geomag_dagster.metadata import arms_of
from geomag_dagster.naming import asset_key
from geomag_dagster.stages import Stage

SHOWN = 20
"""Items of a list that go into the event log."""


def check_specs(stage: Stage, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks on one output of a stage."""
    name, blocking, description, _ = _CHECKS.get(stage.group, _NONE)
    if not name:
        return []
    return [dg.AssetCheckSpec(name, asset=key, blocking=blocking, description=description)]


def check_output(stage: Stage, out: str, *, root: Path) -> list[dg.AssetCheckResult]:
    """Run the checks on one output."""
    name, _, _, look = _CHECKS.get(stage.group, _NONE)
    key = asset_key(out)
    if not name or look is None or key is None:
        return []
    passed, severity, metadata = look(root / out)
    return [
        dg.AssetCheckResult(
            passed=passed, asset_key=key, check_name=name, severity=severity, metadata=metadata
        )
    ]


Finding = tuple[bool, dg.AssetCheckSeverity, Mapping[str, Any]]


def records_are_valid(folder: Path) -> Finding:
    """The validation report beside the records has no critical expectation that failed."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    failed = [check for check in report.get("expectations", []) if not check["success"]]
    critical = [check for check in failed if check.get("severity") == "critical"]
    severity = dg.AssetCheckSeverity.ERROR if critical else dg.AssetCheckSeverity.WARN
    metadata = {"failed": len(failed), "critical": len(critical), "first": failed[:SHOWN]}
    return bool(report["success"]) and not failed, severity, metadata


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
