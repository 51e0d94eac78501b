"""The last two assets of ``retrain``: what could be promoted, and what is the champion.

They have no DVC stage: a champion is a decision, and running it again must not find it cached.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from geomag.io import value_digest
from geomag.versions import locked_paths
from geomag_dagster.assets import OWNERS, code_version
from geomag_dagster.compute import compute
from geomag_dagster.dvc import DvcResource, stage_env
from geomag_dagster.naming import asset_key
from geomag_dagster.stages import Stage

GATE = Stage(
    name="promote",
    cmd="python -m geomag promote",
    deps=(
        "geomag/evaluate/candidate.py",
        "geomag/evaluate/champion.py",
        "geomag/evaluate/promotion.py",
        "geomag/evaluate/score/compare.py",
        "geomag/metrics/paired.py",
        "geomag/serve/package.py",
        "geomag/serve/pyfunc.py",
        "geomag/tracking/registry.py",
    ),
)
"""Code of the gate, which is not in ``dvc.yaml``: what the assets' code version is made of."""
CANDIDATE, CHAMPION = dg.AssetKey(["model", "candidate"]), dg.AssetKey(["model", "champion"])
CHECK, PROMOTION = "candidate_is_champion", "promotion"


def promotion_assets(stages: Mapping[str, Stage], root: Path) -> list[dg.AssetsDefinition]:
    """``model/candidate`` and ``model/champion`` for the scores that ``stages`` make."""
    version = code_version(GATE, root)
    parts = _outs(stages, "base", "granularity", "train")
    scores = _outs(stages, "score")
    return [_candidate([*parts, *scores], version), _champion(version)]


def _candidate(paths: list[str], version: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=CANDIDATE,
        deps=[key for path in paths if (key := asset_key(path))],
        group_name=PROMOTION,
        kinds={"dvc"},
        owners=OWNERS,
        code_version=version,
        description="Versions of the parts and their scores, as `dvc.lock` records them.",
        op_tags=compute(cpus=1, memory="1Gi"),
    )
    def candidate(dvc: DvcResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        locked = locked_paths(Path(dvc.root))
        versions = {path: locked.get(path, "unknown") for path in paths}
        return dg.MaterializeResult(
            data_version=dg.DataVersion(value_digest(versions)), metadata=versions
        )

    return candidate


def _champion(version: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=CHAMPION,
        deps=[CANDIDATE],
        group_name=PROMOTION,
        kinds={"dvc", "mlflow"},
        owners=OWNERS,
        code_version=version,
        description="Moves MLflow's alias `champion` if the gate passes.\n\n    geomag promote",
        check_specs=[
            dg.AssetCheckSpec(CHECK, asset=CHAMPION, description="If not, the reason is why.")
        ],
        op_tags=compute(cpus=1, memory="4Gi"),
    )
    def champion(context: dg.AssetExecutionContext, dvc: DvcResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        found = run_gate(Path(dvc.root), context.log.info)
        said = {key: found[key] for key in ("outcome", "reason", "candidate", "version")}
        is_champion = bool(found["champion"]) and found["champion"] == found["candidate"]
        return dg.MaterializeResult(
            data_version=dg.DataVersion(found["champion"] or "none"),
            metadata={**said, "champion version": found["champion_version"], "rows": found["rows"]},
            check_results=[
                dg.AssetCheckResult(
                    passed=is_champion,
                    check_name=CHECK,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata=said,
                )
            ],
        )

    return champion


def run_gate(root: Path, log: Any) -> dict[str, Any]:
    """Run ``geomag promote`` in ``root``; returns its JSON.

    Raises:
        dagster.Failure: With what the command printed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "decision.json"
        done = subprocess.run(
            [sys.executable, "-m", "geomag", "promote", "--json", str(path)],
            cwd=root,
            env={**os.environ, **stage_env()},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise dg.Failure(f"geomag promote: {done.stderr.strip()[-2000:]}", allow_retries=False)
        log(done.stdout)
        return dict(json.loads(path.read_text(encoding="utf-8")))


def _outs(stages: Mapping[str, Stage], *groups: str) -> list[str]:
    return [out for stage in stages.values() if stage.group in groups for out in stage.outs]
