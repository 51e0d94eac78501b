"""What an asset shows in the UI: versions and times; tables for scores; a picture if any."""

import base64
import json
import math
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from geomag.evaluate.score.table import arms_of
from geomag_dagster.dvc import StageResult
from geomag_dagster.stages import Stage

PREVIEW_BYTES = 100_000
"""Bytes of a preview; larger pictures are named and not shown: a preview lives in the event log."""
_ARM = dg.TableColumn("arm", "string", description="magcrop, or plain where Table 7 ablates it")
_METRIC = dg.TableColumn("metric", "string", constraints=dg.TableColumnConstraints(nullable=False))
_VALUE = dg.TableColumn("value", "float", description="fraction, or raw as CIDEr is")
_LOW, _HIGH = dg.TableColumn("low", "float"), dg.TableColumn("high", "float")
SCORE_SCHEMA = dg.TableSchema([_ARM, _METRIC, _VALUE, _LOW, _HIGH])


def describe(stage: Stage, out: str, result: StageResult, *, root: Path) -> dict[str, Any]:
    """Metadata of one output of a stage that is up to date."""
    found: dict[str, Any] = {
        "dvc.md5": result.versions[out],
        "git.commit": git_commit(root),
        "wall time (s)": result.seconds,
        "command ran": result.ran,
        "log": dg.MetadataValue.path(str(result.log)),
    }
    if result.run_url:
        found["MLflow run"] = dg.MetadataValue.url(result.run_url)
    path = root / out
    if stage.group == "score" and path.is_file():
        found |= score_metadata(json.loads(path.read_text(encoding="utf-8")))
    if (preview := path / "preview.png").is_file():
        found["preview"] = picture(preview)
    if (page := path / "index.html").is_file():
        found["page"] = dg.MetadataValue.url(page.resolve().as_uri())
    return found


def score_metadata(scores: dict[str, Any]) -> dict[str, Any]:
    """A table of metrics with intervals, and each metric as a number the UI plots over time."""
    rows = list(_score_rows(scores))
    table = dg.MetadataValue.table([dg.TableRecord(row) for row in rows], schema=SCORE_SCHEMA)
    numbers = {f"{row['arm']}/{row['metric']}": row["value"] for row in rows}
    return {"scores": table, **numbers}


def picture(path: Path) -> dg.MetadataValue[Any]:
    """A PNG as Markdown with its bytes inside, or its path when it is too large for that."""
    content = path.read_bytes()
    if len(content) > PREVIEW_BYTES:
        return dg.MetadataValue.path(str(path))
    encoded = base64.b64encode(content).decode()
    return dg.MetadataValue.md(f"![preview](data:image/png;base64,{encoded})")


def git_commit(root: Path) -> str:
    """The commit that is checked out, or ``none`` outside a repository."""
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "none"


def _score_rows(scores: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for arm, score in arms_of(scores).items():
        intervals = score.get("intervals", {})
        for metric, value in score.get("metrics", {}).items():
            if isinstance(value, (int, float)) and math.isfinite(value):
                low, high = intervals.get(metric) or (math.nan, math.nan)
                row = {"arm": arm, "metric": metric, "value": float(value)}
                yield {**row, "low": float(low), "high": float(high)}
