"""A long prediction in shards: a step each, on as many GPUs or machines as there are.

``GEOMAG_SHARDS=rsvqa_hr=8`` gives each answer file of RSVQA-HR eight steps before its stage. A step
runs ``geomag predict --shard i/8``, which leaves a finished shard under ``work/``; the stage then
takes their rows instead of computing them, and its file has the bytes of one pass. So DVC's stage
stays what it is, and shards are no versions: they are how fast it is made (docs/decisions/0151).
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import dagster as dg

from geomag.errors import ConfigError
from geomag_dagster.compute import GPUS, step_env
from geomag_dagster.dvc import DvcResource
from geomag_dagster.stages import Stage

VARIABLE = "GEOMAG_SHARDS"
GROUP = "predict"


def shard_counts() -> dict[str, int]:
    """Shards by benchmark, as ``GEOMAG_SHARDS`` names them: ``rsvqa_hr=8,geopixeld=2``.

    Raises:
        ConfigError: If it says something else.
    """
    found: dict[str, int] = {}
    text = os.environ.get(VARIABLE, "")
    for part in filter(None, (word.strip() for word in text.split(","))):
        name, _, count = part.partition("=")
        if not (name and count.isdecimal() and int(count) >= 1):
            raise ConfigError(VARIABLE, repr(text), "BENCHMARK=N, more of them after commas")
        found[name] = int(count)
    return found


def shards_of(stage: Stage, counts: Mapping[str, int]) -> list[str]:
    """The shards of a stage as ``i/n``; none where it is not divided."""
    if stage.group != GROUP:
        return []
    count = counts.get(_benchmark_and_arm(stage)[0], 1)
    return [f"{number}/{count}" for number in range(1, count + 1)] if count > 1 else []


def shard_key(stage: Stage, shard: str) -> dg.AssetKey:
    """Asset of one shard: ``shards/rsvqa_hr/magcrop/2_of_8``."""
    return dg.AssetKey(["shards", *_benchmark_and_arm(stage), shard.replace("/", "_of_")])


def shard_asset(
    stage: Stage,
    shard: str,
    *,
    deps: set[dg.AssetKey],
    code_version: str,
    op_tags: dict[str, Any],
    condition: dg.AutomationCondition[Any] | None,
) -> dg.AssetsDefinition:
    """The asset of one shard; its step asks for what the stage itself asks for."""
    key = shard_key(stage, shard)
    uses_gpu = op_tags[GPUS] != "0"

    @dg.multi_asset(
        name="__".join(key.path),
        specs=[
            dg.AssetSpec(
                key,
                deps=sorted(deps),
                group_name="predictions",
                kinds={"pytorch"},
                owners=["team:geomag"],
                code_version=code_version,
                automation_condition=condition,
                description=f"Part {shard} of what `{stage.name}` answers, for its stage to take.",
            )
        ],
        op_tags=op_tags,
        pool="gpu" if uses_gpu else None,
        retry_policy=dg.RetryPolicy(max_retries=1, delay=30) if uses_gpu else None,
    )
    def run_shard(
        context: dg.AssetExecutionContext, dvc: DvcResource
    ) -> Iterator[dg.MaterializeResult[Any]]:
        environment = step_env(context, op_tags)
        ran = dvc.run_shard(stage, shard, extra_env=environment, tell=context.log.info)
        yield dg.MaterializeResult(asset_key=key, metadata={"command ran": ran})

    return run_shard


def _benchmark_and_arm(stage: Stage) -> tuple[str, str]:
    path = PurePosixPath(stage.outs[0])
    return path.parent.name, path.stem
