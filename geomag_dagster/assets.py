"""One asset per DVC stage; its body runs the stage and reports what ``dvc.lock`` recorded."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from geomag.parse import read_yaml
from geomag_dagster.checks import check_output, check_refused_records, check_specs
from geomag_dagster.compute import GPUS, compute, step_env
from geomag_dagster.dvc import DvcResource
from geomag_dagster.metadata import describe
from geomag_dagster.naming import DATA, asset_key, group_name, upstream_keys
from geomag_dagster.shards import shard_asset, shard_counts, shard_key, shards_of
from geomag_dagster.stages import Stage

GPU_STAGES = {"base", "crops", "train", "predict"}
"""Stages that use the GPU where the profile has one."""
KINDS = {
    "validate": {"dvc", "greatexpectations"},
    "base": {"dvc", "pytorch"},
    "granularity": {"dvc", "pytorch"},
    "crops": {"dvc", "pytorch"},
    "train": {"dvc", "pytorch", "mlflow"},
    "predict": {"dvc", "pytorch"},
    "score": {"dvc", "mlflow"},
    "report": {"dvc", "html"},
}
OWNERS = ["team:geomag"]


def stage_assets(
    stages: Mapping[str, Stage],
    root: Path,
    *,
    on_gpu: bool,
    condition: dg.AutomationCondition[Any] | None = None,
) -> list[dg.AssetsDefinition]:
    """The assets of all stages.

    Args:
        stages: From `read_stages`.
        root: Project root, where the code and settings are whose state is the code version.
        on_gpu: Whether the chosen profile runs on a GPU.
        condition: When assets run by themselves, if somebody switches that on.
    """
    counts, assets = shard_counts(), []
    for stage in stages.values():
        deps, shards = upstream_keys(stage, stages), shards_of(stage, counts)
        common: dict[str, Any] = {
            "code_version": code_version(stage, root),
            "op_tags": _compute_of(stage, on_gpu=on_gpu),
            "condition": condition,
        }
        assets += [shard_asset(stage, shard, deps=deps, **common) for shard in shards]
        deps = deps | {shard_key(stage, shard) for shard in shards}
        assets.append(stage_asset(stage, deps=deps, **common))
    return assets


def stage_asset(
    stage: Stage,
    *,
    deps: set[dg.AssetKey],
    code_version: str,
    op_tags: dict[str, Any],
    condition: dg.AutomationCondition[Any] | None,
) -> dg.AssetsDefinition:
    """The asset of one stage: as many keys as the stage has outputs, made by one process."""
    keys = {out: key for out in stage.outs if (key := asset_key(out))}
    uses_gpu = op_tags[GPUS] != "0"

    @dg.multi_asset(
        name=stage.name.replace("@", "__").replace("-", "__"),
        specs=[
            dg.AssetSpec(
                key,
                deps=sorted(deps),
                group_name=group_name(key),
                kinds=KINDS.get(stage.group, {"dvc"}),
                owners=OWNERS,
                code_version=code_version,
                automation_condition=condition,
                description=f"{stage.desc}\n\n    dvc repro {stage.name}",
                metadata={"dvc stage": stage.name, "path": out},
            )
            for out, key in keys.items()
        ],
        check_specs=[spec for out, key in keys.items() for spec in check_specs(stage, key)],
        op_tags=op_tags,
        pool="gpu" if uses_gpu else None,
        retry_policy=dg.RetryPolicy(max_retries=1, delay=30) if uses_gpu else None,
    )
    def run_stage(context: dg.AssetExecutionContext, dvc: DvcResource) -> Iterator[Any]:
        try:
            result = dvc.run(stage, extra_env=step_env(context, op_tags), tell=context.log.info)
        except dg.Failure:
            yield from check_refused_records(stage, root=Path(dvc.root))
            raise
        for out, key in keys.items():
            yield dg.MaterializeResult(
                asset_key=key,
                data_version=dg.DataVersion(result.versions[out]),
                metadata=describe(stage, out, result, root=Path(dvc.root)),
                check_results=check_output(stage, out, root=Path(dvc.root)),
            )

    return run_stage


def dataset_specs(benchmarks: list[str]) -> list[dg.AssetSpec]:
    """The benchmarks that ``data.dvc`` tracks: assets that Dagster watches and does not make."""
    return [
        dg.AssetSpec(
            [DATA, name],
            group_name=DATA,
            kinds={"dvc"},
            owners=OWNERS,
            description=f"Benchmark `{name}` in its download layout, tracked by `data.dvc`.",
        )
        for name in benchmarks
    ]


def code_version(stage: Stage, root: Path) -> str:
    """Short digest of a stage's command, settings and code: what it does, whatever the data."""
    digest = hashlib.sha256(stage.cmd.encode())
    for file, keys in stage.params:
        tree = read_yaml(root / file) or {}
        chosen = {key: tree.get(key) for key in keys} if keys else tree
        digest.update(yaml.safe_dump(chosen, sort_keys=True).encode())
    for dep in stage.deps:
        if asset_key(dep) is None:
            path = root / dep
            files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
            for file_path in files:
                if file_path.is_file():
                    digest.update(file_path.read_bytes())
    return digest.hexdigest()[:12]


def _compute_of(stage: Stage, *, on_gpu: bool) -> dict[str, Any]:
    if on_gpu and stage.group in GPU_STAGES:
        return compute(gpus=1, cpus=8, memory="64Gi")
    # One thread everywhere: sums in another order would give other weights than `dvc repro` does.
    return compute(cpus=1, memory="4Gi")
