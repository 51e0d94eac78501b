"""Where a number in the report's tables comes from: answers, weights, data, code and runs.

Reads ``cells.json``, the score and answer files and ``dvc.lock``; nothing is computed again.
A link of the chain that no longer holds is said, not skipped.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from geomag.errors import GeoMagError
from geomag.io import file_digest, read_json
from geomag.versions import read_lock, stage_paths

PARTS = ("adapter", "decoder", "base", "granularity")
CELLS = Path("artifacts/report/cells.json")


class UnknownCellError(GeoMagError):
    """The report has no cell of this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLink:
    """A file of the chain, as the link before it knew it."""

    path: str
    sha256: str
    """Version of the part, as the cell records it."""
    md5: str = ""
    """DVC's, of ``dvc.lock``; empty if it does not know the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A table cell with everything it rests on."""

    cell: Mapping[str, Any]
    scores: FileLink
    predictions: FileLink
    models: Mapping[str, str]
    """DVC's md5 of the parts that the predictions were made with."""
    data: Mapping[str, str]
    """DVC's md5 of the benchmark's files and records that were asked about."""
    training: Mapping[str, str]
    """DVC's md5 of what the adapter was trained on; empty if ``dvc.lock`` tells of another one."""
    code: Mapping[str, str]
    """``git.commit`` checked out and ``git.dirty``; empty outside a repository."""
    runs: Mapping[str, str]
    """MLflow's run ids by what they did."""
    problems: tuple[str, ...]
    """Links that do not hold, in words."""

    def to_json(self) -> dict[str, Any]:
        """The trace as JSON."""
        return asdict(self)


RunFinder = Callable[[str, str, Mapping[str, str]], Mapping[str, str]]
"""Function from benchmark, arm and versions by part (md5s, of ``data`` too; sha256 of
``predictions``) to MLflow's run ids by what they did."""


def trace(
    cell_id: str, root: Path, *, code: Mapping[str, str], find_runs: RunFinder | None = None
) -> Trace:
    """Follow a cell back.

    Args:
        cell_id: ``table/benchmark/split/arm/metric``.
        root: Project root.
        code: The commit that is checked out (`geomag.versions.git_tags`).
        find_runs: Asks the tracker; None leaves the runs out.

    Raises:
        UnknownCellError: With the ids that come nearest.
        AnnotationError: If there is no report.
    """
    return follow(_cell(cell_id, root), root, read_lock(root), code=code, find_runs=find_runs)


def follow(
    cell: Mapping[str, Any],
    root: Path,
    lock: Mapping[str, Any],
    *,
    code: Mapping[str, str],
    find_runs: RunFinder | None = None,
) -> Trace:
    """Follow a cell back, as `trace` does, with the report and ``dvc.lock`` read already.

    Args:
        cell: ``id``, ``score_sha256`` and ``predictions_sha256``, as in ``cells.json``.
        root: Project root.
        lock: Stages of ``dvc.lock``.
        code: The commit that is checked out.
        find_runs: Asks the tracker; None leaves the runs out.
    """
    _, benchmark, _, arm, _ = cell["id"].split("/")
    stage = f"predict@{benchmark}-{arm}"
    scores = _link(
        f"artifacts/scores/{benchmark}.json", cell["score_sha256"], f"score@{benchmark}", lock
    )
    predictions = _link(
        f"artifacts/predictions/{benchmark}/{arm}.jsonl", cell["predictions_sha256"], stage, lock
    )
    read = stage_paths(lock, stage, "deps")
    models = {part: read.get(f"artifacts/models/{part}", "") for part in PARTS}
    data = {path: md5 for path, md5 in read.items() if _is_data(path)}
    training, unknown = _training(lock, models)
    problems = [
        f"{what}, {link.path}, {why}"
        for what, link in (("the score file", scores), ("the answers", predictions))
        if (why := why_broken(link, root))
    ]
    if not read:
        unknown = f"dvc.lock has no stage {stage}: models and data are unknown"
    versions = {**models, "data": data.get(f"data/{benchmark}", "")}
    versions["predictions"] = predictions.sha256
    return Trace(
        cell=cell,
        scores=scores,
        predictions=predictions,
        models=models,
        data=data,
        training=training,
        code=dict(code),
        runs=find_runs(benchmark, arm, versions) if find_runs else {},
        problems=tuple([*problems, unknown] if unknown else problems),
    )


def _cell(cell_id: str, root: Path) -> dict[str, Any]:
    cells = {cell["id"]: cell for cell in read_json(root / CELLS)}
    if cell_id not in cells:
        near = difflib.get_close_matches(cell_id, cells, n=5, cutoff=0.5) or sorted(cells)[:5]
        raise UnknownCellError(
            f"cell {cell_id!r}",
            f"not among the {len(cells)} of {CELLS}",
            f"table/benchmark/split/arm/metric, such as {', '.join(near)}" if near else "",
            "" if near else "run dvc repro: no benchmark had a score when the report was made",
        )
    return dict(cells[cell_id])


def _link(path: str, sha256: str, stage: str, lock: Mapping[str, Any]) -> FileLink:
    return FileLink(path=path, sha256=sha256, md5=stage_paths(lock, stage, "outs").get(path, ""))


def why_broken(link: FileLink, root: Path) -> str:
    """Why a file is not the one that the report was made from and DVC knows; empty if it is."""
    path = root / link.path
    if not path.is_file():
        return "is not there: dvc checkout brings it back"
    if (now := file_digest(path)) != link.sha256:
        return f"has changed since the report: sha256 is now {now[:16]}"
    if link.md5 != file_digest(path, "md5"):
        return f"is not what dvc.lock records: {link.md5 or 'nothing'}"
    return ""


def _is_data(path: str) -> bool:
    return path.startswith(("data/", "artifacts/records/", "artifacts/crops/"))


def _training(lock: Mapping[str, Any], models: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """What the adapter was trained on, or why that is not known."""
    made = stage_paths(lock, "train", "outs").get("artifacts/models/adapter", "")
    if not made or made != models["adapter"]:
        told = made or "no adapter"
        return {}, f"the answers are of adapter {models['adapter']}, dvc.lock's train made {told}"
    read = stage_paths(lock, "train", "deps")
    return {path: md5 for path, md5 in read.items() if _is_data(path)}, ""
