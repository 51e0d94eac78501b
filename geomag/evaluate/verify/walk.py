"""The walk over the whole record: every cell of the report, every kind of link."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.errors import ToolError
from geomag.evaluate.trace import CELLS, Trace, follow
from geomag.evaluate.verify import code, files
from geomag.evaluate.verify.chain import chain, disagreements
from geomag.evaluate.verify.disk import Disk
from geomag.evaluate.verify.links import Absence, Link, link
from geomag.evaluate.verify.tracked import Tracked
from geomag.io import file_digest, read_json
from geomag.versions import read_lock


@dataclass(frozen=True, slots=True)
class Row:
    """The table cells of one benchmark in one arm, which rest on the same files."""

    benchmark: str
    arm: str
    cells: tuple[str, ...]
    """Ids of the cells; none where the report is not on disk."""
    links: tuple[Link, ...]

    def to_json(self) -> dict[str, Any]:
        """The outcome as JSON, check by check."""
        return {
            "benchmark": self.benchmark,
            "arm": self.arm,
            "cells": list(self.cells),
            "links": [one.to_json() for one in self.links],
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """What the walk found."""

    rows: tuple[Row, ...]

    @property
    def first_broken(self) -> tuple[Row, Link] | None:
        """The first link that does not hold, and whose it is; None if all hold or are absent."""
        broken = ((row, one) for row in self.rows for one in row.links if one.state == "broken")
        return next(broken, None)

    def to_json(self) -> dict[str, Any]:
        """Rows, and the first broken link."""
        named = None
        if self.first_broken is not None:
            row, broken = self.first_broken
            named = {"benchmark": row.benchmark, "arm": row.arm, **broken.to_json()}
        return {
            "is_whole": named is None,
            "first_broken": named,
            "rows": [row.to_json() for row in self.rows],
        }


def verify(root: Path, *, runs: bool = True) -> Verification:
    """Compare every link of the record with what there is now; nothing is computed or changed.

    Args:
        root: Project root.
        runs: Whether MLflow is asked.

    Raises:
        ToolError: If ``root`` is no project, or has no record yet.
    """
    if not (root / "dvc.yaml").is_file():
        place, remedy = str(root), "go to the folder of a project, or below it"
        raise ToolError(place, "no dvc.yaml: this is no project", "a project", remedy)
    lock = read_lock(root)
    groups = _groups(_cells(root, lock))
    if not groups:
        where = f"{root / 'dvc.lock'}"
        raise ToolError(where, "no stage has answered anything yet", "a record", "dvc repro")
    disk, tracked = Disk(root), Tracked(root, lock) if runs else None
    return Verification(tuple(_row(group, disk, lock, tracked) for group in groups))


def _row(
    group: list[Mapping[str, Any]], disk: Disk, lock: Mapping[str, Any], tracked: Tracked | None
) -> Row:
    cell = group[0]
    _, benchmark, _, arm, _ = cell["id"].split("/")
    stage = f"predict@{benchmark}-{arm}"
    found = follow(cell, disk.root, lock, code={}, find_runs=tracked.find if tracked else None)
    ids = tuple(one["id"] for one in group if one["id"][0] != "/")
    return Row(benchmark, arm, ids, tuple(_links(found, stage, disk, lock, tracked)))


def _links(
    found: Trace, stage: str, disk: Disk, lock: Mapping[str, Any], tracked: Tracked | None
) -> Iterator[Link]:
    score = f"score@{found.cell['id'].split('/')[1]}"
    stages = [*chain(lock, stage), score, "report"]
    unasked = [Absence("not asked for")]
    yield link("lock", disagreements(lock, stage))
    yield link("data", files.data(disk, found, stage))
    yield link("training", files.training(disk, lock, stage))
    yield link("weights", files.weights(disk, found, stage))
    yield link("predictions", files.predictions(disk, found))
    yield link("scores", files.scores(disk, lock, found))
    yield link("table", files.table(disk, lock))
    yield link("code", code.code(disk, lock, stages))
    yield link("settings", code.settings(disk.root, lock, stages))
    yield link("runs", tracked.runs(found, stage) if tracked else unasked)
    yield link("registry", tracked.registry(found) if tracked else unasked)


def _cells(root: Path, lock: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The cells of the report; without one, a nameless cell for each stage that has answered."""
    if (root / CELLS).is_file():
        yield from read_json(root / CELLS)
        return
    for stage in lock:
        word, _, item = stage.partition("@")
        if word == "predict":
            benchmark, _, arm = item.rpartition("-")
            score = root / "artifacts" / "scores" / f"{benchmark}.json"
            content = read_json(score) if score.is_file() else {}
            yield {
                "id": f"/{benchmark}//{arm}/",
                "score_sha256": file_digest(score) if content else "",
                "predictions_sha256": files.scored_answers(content, arm),
            }


def _groups(cells: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Cells that rest on the same files together, in the order of the report."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for cell in cells:
        _, benchmark, _, arm, _ = cell["id"].split("/")
        key = (benchmark, arm, cell["score_sha256"], cell["predictions_sha256"])
        groups.setdefault(key, []).append(cell)
    return list(groups.values())
