"""The stages of ``dvc.lock`` behind a cell: which they are, and whether they agree."""

from collections.abc import Iterator, Mapping
from typing import Any

from geomag.evaluate.verify.links import Break
from geomag.versions import stage_paths

MADE = ("data/", "artifacts/")
"""What is no code: inputs of the line, and what its stages write."""


def chain(lock: Mapping[str, Any], stage: str) -> list[str]:
    """A stage of ``dvc.lock`` and all those that it rests on, nearest first."""
    found, waiting = list[str](), [stage] if stage in lock else []
    while waiting:
        one = waiting.pop(0)
        if one in found:
            continue
        found.append(one)
        for path in stage_paths(lock, one, "deps"):
            waiting.extend(_makers(lock, path))
    return found


def disagreements(lock: Mapping[str, Any], stage: str) -> Iterator[Break]:
    """Where a stage of the chain has read another version than the stage before it wrote."""
    if stage not in lock:
        yield Break("dvc.lock", f"no stage {stage}", "the stage that made the answers", "dvc repro")
        return
    for one in chain(lock, stage):
        for path, read in stage_paths(lock, one, "deps").items():
            for maker in _makers(lock, path):
                made = stage_paths(lock, maker, "outs").get(path, read)
                if made != read:
                    yield Break(
                        f"dvc.lock, stage {one}",
                        f"{path} of md5 {read or 'unknown'}",
                        f"md5 {made or 'unknown'}, which stage {maker} made",
                        "git checkout dvc.lock, or dvc repro",
                    )


def inputs(lock: Mapping[str, Any], stage: str, *, code: bool) -> dict[str, str]:
    """md5 by path of a stage's dependencies: its code, or what it read."""
    read = stage_paths(lock, stage, "deps")
    return {path: md5 for path, md5 in read.items() if path.startswith(MADE) is not code}


def _makers(lock: Mapping[str, Any], path: str) -> list[str]:
    """The stages one of whose outputs is ``path``, or lies inside it."""
    return [
        stage
        for stage in lock
        for out in stage_paths(lock, stage, "outs")
        if out == path or out.startswith(f"{path}/")
    ]
