"""What each stage's command read while the line ran under `tests/line/watch`."""

import ast
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from geomag_dagster.stages import Stage, overlap
from tests.geomag_dagster.test_code_deps import PLUMBING

WATCH = Path(__file__).with_name("watch")
STATE = {
    ".dvc": "DVC's listing of data/, to name versions",
    ".git": "the commit, to name it",
    "data.dvc": "to name versions",
    "dvc.lock": "to name versions",
    "dvc.yaml": "the project's root, and which code a checkpoint belongs to",
    "mlflow": "where runs are told to",
    "params.yaml": "which profile; dvc.yaml depends on its settings",
    "work": "checkpoints and caches, kept under all that decides them",
}
"""Read, and no reason to run a stage again. Each with the reason."""
PRINTS = {"geomag/evaluate/score/table.py": "a score as text, which the command line loads first"}
UNHEARD = {
    "benchmarks": "params.yaml lists them too, whose paths dvc.yaml asks for; others are refused",
    "device": "where a stage computes; results of a CPU and a GPU differ in the last digits",
    "threads": "how many compute; sums in another order differ in the last digits",
    "name": "the profile's name, in titles of runs",
}
"""Settings that a stage may ask for without depending on them. Each with the reason."""
NAMES = ("__init__.py", "__main__.py")
"""Re-exports, and the start of the command line."""


@dataclass
class Reading:
    """Of one stage, paths from the project's root; of byte code its source."""

    files: set[str] = field(default_factory=set)
    settings: set[str] = field(default_factory=set)
    """Sections of the profile."""
    lines: set[tuple[str, int]] = field(default_factory=set)
    """Lines that ran of the files that were asked for, see `watching`."""


def watching(folder: Path, *, lines: bool = False) -> dict[str, str]:
    """Variables under which commands are watched.

    Args:
        folder: Gets a file for each command.
        lines: Whether lines of plumbing count, too; the commands take twice as long.
    """
    folder.mkdir()
    parts = [f"/{name}/" if "." not in name else f"/{name}" for name in (*PLUMBING, *PRINTS)]
    parts += [f"/{name}" for name in NAMES]
    chosen = {"WATCH_LINES": os.pathsep.join(parts)} if lines else {}
    return {"PYTHONPATH": str(WATCH), "WATCH_FOLDER": str(folder), **chosen}


def readings(root: Path, folder: Path, stages: Mapping[str, Stage]) -> dict[str, Reading]:
    """What was read, by stage; of a stage that ran more than once all of it."""
    by_command = {" ".join(shlex.split(stage.cmd)[1:]): name for name, stage in stages.items()}
    found = {name: Reading() for name in stages}
    for path in folder.iterdir():
        command, *rows = path.read_text(encoding="utf-8").splitlines()
        if command in by_command:
            _add(found[by_command[command]], rows, root)
    return found


def _add(reading: Reading, rows: Iterable[str], root: Path) -> None:
    for row in rows:
        did, _, what = row.partition(" ")
        if did == "asked":
            reading.settings.add(what)
            continue
        name, _, line = what.rpartition(":") if did == "ran" else (what, "", "")
        path = Path(name)
        if not path.is_relative_to(root):
            continue
        if did == "ran":
            reading.lines.add((path.relative_to(root).as_posix(), int(line)))
        elif path.is_file():  # what is gone was the stage's own
            if path.suffix == ".pyc":
                path = path.parent.parent / f"{path.name.partition('.')[0]}.py"
            reading.files.add(path.relative_to(root).as_posix())


def plumbing(file: str) -> bool:
    """Whether a stage may open the file without depending on it."""
    is_listed = any(overlap(file, place) for place in (*PLUMBING, *PRINTS, *STATE))
    return is_listed or Path(file).name in NAMES


def undeclared(stage: Stage, reading: Reading) -> list[str]:
    """Files and settings that neither `dvc.yaml` nor the lists above account for."""
    known = [*stage.deps, *stage.outs, *(file for file, _ in stage.params)]
    files = {
        file
        for file in reading.files
        if not plumbing(file) and not any(overlap(file, place) for place in known)
    }
    sections = {section for _, sections in stage.params for section in sections}
    return [*sorted(files), *sorted(reading.settings - sections - set(UNHEARD))]


def statement(source: str, line: int) -> set[int]:
    """Lines of the innermost statement around a line; of a block its head alone."""
    found = {line}
    for node in _statements(ast.parse(source)):
        body = getattr(node, "body", None)
        last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        if first <= line <= max(first, last or first):
            found = set(range(first, max(first, last or first) + 1))
    return found


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.stmt))
