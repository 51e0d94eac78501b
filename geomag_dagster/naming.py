"""Which asset stands for which path: the one place that ties DVC's names to Dagster's."""

from collections.abc import Mapping
from pathlib import PurePosixPath

import dagster as dg

from geomag_dagster.stages import Stage, overlap

DATA = "data"
"""Folder, and asset key prefix, of the benchmarks that ``data.dvc`` tracks."""


def asset_key(path: str) -> dg.AssetKey | None:
    """The asset that a path belongs to; None for code and settings.

    >>> asset_key("artifacts/models/base").to_user_string()
    'model/base'
    >>> asset_key("artifacts/predictions/aid/plain.jsonl").to_user_string()
    'predictions/aid/plain'
    >>> asset_key("geomag/model") is None
    True
    """
    parts = PurePosixPath(path).with_suffix("").parts
    if parts[0] == DATA:
        return dg.AssetKey(list(parts[:2]))
    if parts[0] != "artifacts" or len(parts) < 2:
        return None
    if parts[1] == "models":
        return dg.AssetKey(["model", *parts[2:3]])
    return dg.AssetKey(["report", "tables"] if parts[1] == "report" else list(parts[1:]))


def group_name(key: dg.AssetKey) -> str:
    """The part of the paper an asset belongs to, which is how the graph is drawn."""
    if key.path[0] == "crops" or key.path == ["model", "granularity"]:
        return "magcrop"
    return key.path[0]


def upstream_paths(stage: Stage, stages: Mapping[str, Stage]) -> set[str]:
    """What a stage reads: outputs of other stages, one by one, and benchmarks under ``data/``."""
    outs = [out for other in stages.values() if other is not stage for out in other.outs]
    paths = {out for dep in stage.deps for out in outs if overlap(dep, out)}
    return paths | {dep for dep in stage.deps if PurePosixPath(dep).parts[0] == DATA}


def benchmarks_of(stages: Mapping[str, Stage]) -> list[str]:
    """The benchmarks under ``data/`` that any stage reads, in the order of ``dvc.yaml``.

    >>> benchmarks_of({"leakage": Stage(name="leakage", cmd="", deps=("data/aid", "geomag/io.py"))})
    ['aid']
    """
    parts = [PurePosixPath(dep).parts for stage in stages.values() for dep in stage.deps]
    return list(dict.fromkeys(p[1] for p in parts if p[0] == DATA and len(p) > 1))


def upstream_keys(stage: Stage, stages: Mapping[str, Stage]) -> set[dg.AssetKey]:
    """The assets a stage reads."""
    return {key for path in upstream_paths(stage, stages) if (key := asset_key(path))}
