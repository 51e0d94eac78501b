"""A table cell made again, in a clone of its commit, from the versions that it was made from.

Only what the cell needs runs: its answers and its score, or further up when asked.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from geomag.evaluate.trace import trace
from geomag.io import read_json, read_jsonl
from geomag.report.ours import Cell, Scores
from geomag.report.paper import paper_tables
from geomag.report.scratch import Clone, ReproductionError, StageFailedError, clone
from geomag.report.tables import our_cells
from geomag.versions import listing, path_md5, read_lock, stage_paths

GROUPS = ("validate", "base", "granularity", "crops", "train", "predict", "score")
"""Where a reproduction may begin, in the order of the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What came of making a cell again."""

    cell: str
    commit: str
    recorded: str
    """Value and interval as the report prints them."""
    rebuilt: str
    """The same from the clone; empty if there it has no such cell."""
    stages: tuple[str, ...]
    """What ran, in order."""
    difference: str
    """The first byte-level difference on the way, in words; empty if there is none."""

    @property
    def is_same(self) -> bool:
        """Whether every printed digit agrees."""
        return self.recorded == self.rebuilt

    def to_json(self) -> dict[str, Any]:
        """Every field as JSON, and whether the digits agree."""
        return {**asdict(self), "is_same": self.is_same}


def reproduce(
    cell_id: str,
    root: Path,
    folder: Path,
    *,
    commit: str = "HEAD",
    first: str = "predict",
    log: Callable[[str], None],
) -> Reproduction:
    """Make a cell again.

    Args:
        cell_id: ``table/benchmark/split/arm/metric``.
        root: Project root.
        folder: Gets the clone; must not exist.
        commit: The one that the cell was made at.
        first: The earliest of `GROUPS` that runs again; what lies before it is checked out.
        log: Told of each stage.

    Raises:
        UnknownCellError: If the report has no such cell.
        ReproductionError: If files, code or settings are not those of the cell, naming the first.
        ToolError: If there is no such commit.
    """
    found = trace(cell_id, root, code={})
    if found.problems:
        raise ReproductionError(f"cell {cell_id}", found.problems[0], remedy="dvc repro report")
    _, benchmark, _, arm, _ = cell_id.split("/")
    lock = read_lock(root)
    stages = plan(lock, benchmark, arm, first)
    copy = _prepared_clone(root, folder, commit, lock, stages)
    difference, rebuilt = "", None
    try:
        for stage in stages:
            log(stage)
            copy.run(stage)
            difference = difference or _first_difference(root, folder, lock, stage)
        rebuilt = _cell(folder, cell_id)
    except StageFailedError as failure:
        difference = difference or str(failure)
    recorded = _cell(root, cell_id)
    return Reproduction(
        cell=cell_id,
        commit=copy.commit,
        recorded=recorded.text if recorded else "",
        rebuilt=rebuilt.text if rebuilt else "",
        stages=tuple(stages),
        difference=difference,
    )


def _prepared_clone(
    root: Path, folder: Path, commit: str, lock: Mapping[str, Any], stages: list[str]
) -> Clone:
    """A clone whose code and versions are those of the cell, with what its stages read."""
    copy = clone(root, folder, commit)
    for stage in stages:
        copy.check_code(stage, lock[stage])
    _check_lock(lock, read_lock(folder), stages)
    copy.fetch(_inputs(lock, stages))
    return copy


def plan(lock: Mapping[str, Any], benchmark: str, arm: str, first: str) -> list[str]:
    """The stages that make one arm's score, from ``first`` on, in an order that works.

    >>> out = lambda path: {"outs": [{"path": path}]}
    >>> lock = {"train": out("m"), "predict@aid-magcrop": {"deps": [{"path": "m"}], **out("p/a")}}
    >>> lock["score@aid"] = {"deps": [{"path": "p"}], **out("s")}
    >>> plan(lock, "aid", "magcrop", "train")
    ['train', 'predict@aid-magcrop', 'score@aid']
    """
    order: list[str] = []
    again: set[str] = set()

    def visit(stage: str) -> None:
        if stage in order:
            return
        before = [name for name in _feeders(lock, stage) if not _is_other_arm(name, benchmark, arm)]
        for name in before:
            visit(name)
        order.append(stage)
        if stage.partition("@")[0] == first or again.intersection(before):
            again.add(stage)

    visit(f"score@{benchmark}")
    return [stage for stage in order if stage in again]


def _feeders(lock: Mapping[str, Any], stage: str) -> Iterator[str]:
    """Stages that write what ``stage`` reads, or a file of a folder that it reads."""
    read = stage_paths(lock, stage, "deps")
    for name in lock:
        outs = stage_paths(lock, name, "outs")
        if any(_overlap(dep, out) for dep in read for out in outs):
            yield name


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _is_other_arm(stage: str, benchmark: str, arm: str) -> bool:
    return stage.startswith("predict@") and stage != f"predict@{benchmark}-{arm}"


def _check_lock(
    recorded: Mapping[str, Any], committed: Mapping[str, Any], stages: list[str]
) -> None:
    """The clone checks out what its own ``dvc.lock`` names: it must be what the cell rests on."""
    for stage in stages:
        for part in ("deps", "outs"):
            known = stage_paths(committed, stage, part)
            for path, md5 in stage_paths(recorded, stage, part).items():
                if known.get(path) != md5:
                    raise ReproductionError(
                        f"dvc.lock, {stage}, {path}",
                        f"the commit records {known.get(path, 'nothing')}",
                        md5,
                        "commit dvc.lock, or name the commit of the cell with --commit",
                    )


def _inputs(lock: Mapping[str, Any], stages: list[str]) -> list[str]:
    """What the stages read and do not make themselves, as paths that DVC checks out."""
    made = {path for stage in stages for path in stage_paths(lock, stage, "outs")}
    outs = {path for stage in lock for path in stage_paths(lock, stage, "outs")}
    wanted: set[str] = set()
    for stage in stages:
        for dep in stage_paths(lock, stage, "deps"):
            if dep.startswith("data/"):
                wanted.add(dep)
            elif dep.startswith("artifacts/"):
                wanted |= {out for out in outs - made if _overlap(dep, out)}
    return sorted(wanted)


def _cell(root: Path, cell_id: str) -> Cell | None:
    scores = Scores(root / "artifacts" / "scores")
    number = int(cell_id.partition("/")[0])
    cells = (c for t in paper_tables() if t.number == number for c in our_cells(t, scores))
    return next((cell for cell in cells if cell.id == cell_id), None)


def _first_difference(root: Path, folder: Path, lock: Mapping[str, Any], stage: str) -> str:
    for path, md5 in stage_paths(lock, stage, "outs").items():
        if (built := path_md5(folder / path)) == md5:
            continue
        if md5.endswith(".dir"):
            return _of_folder(dict(listing(root, md5) or ()), folder / path, path)
        if (root / path).is_file() and path_md5(root / path) == md5:
            return _of_rows(path, root / path, folder / path)
        return f"{path}: md5 {md5}, now {built}"
    return ""


def _of_folder(recorded: Mapping[str, str], built: Path, path: str) -> str:
    found = {
        file.relative_to(built).as_posix(): path_md5(file)
        for file in sorted(built.rglob("*"))
        if file.is_file()
    }
    for name in sorted({*recorded, *found}):
        before, now = recorded.get(name, "absent"), found.get(name, "absent")
        if before != now:
            return f"{path}/{name}: md5 {before}, now {now}"
    return f"{path}: differs"


def _of_rows(path: str, recorded: Path, built: Path) -> str:
    """The first value that differs in a JSON or JSON Lines file."""
    if path.endswith(".jsonl"):
        pairs = zip(_lines(recorded), _lines(built), strict=False)
        for number, (before, now) in enumerate(pairs, start=1):
            if said := _of_values(before, now):
                return f"{path}, line {number}, record {before.get('id')}{said}"
        return f"{path}: {sum(1 for _ in _lines(recorded))} rows, now {len([*_lines(built)])}"
    return f"{path}{_of_values(read_json(recorded), read_json(built)) or ': differs'}"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    return read_jsonl(path)


def _of_values(before: Any, now: Any) -> str:
    """Path and both values of the first leaf that differs; empty if none does."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            if said := _of_values(before.get(key), now.get(key)):
                return f", {key}{said}"
        return ""
    return "" if before == now else f": {str(before)[:80]!r}, now {str(now)[:80]!r}"
