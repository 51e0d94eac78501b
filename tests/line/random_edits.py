"""Many random edits of the small line: ``python -m tests.line.random_edits FOLDER``.

For each edit `dvc.yaml` says which stages are to run again, for every tenth DVC itself, which must
agree; what each stage read and ran without the edit says whether that is right
(`tests.line.judged`). Where the edited line of a file of plumbing ran, the stages in which it ran
are run again with the edit, without caches: their outputs must be the same. With ``--again N``
edits are made one after the other for good, with a `dvc repro` after each, and in the end a project
without caches at the same state must make the same versions.
"""

import argparse
import shutil
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from geomag.versions import locked_paths, path_md5
from geomag_dagster.stages import Stage, read_stages
from tests.line.edits import Edit, random_edits
from tests.line.judged import RAN, WRONG, changed_stages, declared, judged, runners
from tests.line.project import Project, make_project
from tests.line.watched import Reading, readings, watching

TRIED = ("the stages in which it ran make the same", "a stage in which it ran refuses to run")
OTHER = "a stage in which it ran makes something else"


def make(folder: Path) -> Project:
    """The small line, watched with the lines of plumbing."""
    project = Project(folder / "geomag")
    if not project.root.is_dir():
        make_project(project.root)
        project.run_line(**watching(folder / "watched", lines=True))
    return project


def tried(project: Project, edit: Edit, stages: Mapping[str, Stage], names: set[str]) -> str:
    """Run one stage of each group with the edit in a copy; what that makes beside what it made."""
    scratch = project.copy(project.root.with_name("tried"))
    locked = locked_paths(project.root)
    by_group = {stages[name].group: name for name in sorted(names)}
    try:
        with edit.applied(scratch.root):
            shutil.rmtree(scratch.root / "work")
            for name in by_group.values():
                for out in stages[name].outs:
                    _remove(scratch.root / out)
                code, _ = scratch.run(*stages[name].cmd.split()[1:])
                outs = [scratch.root / out for out in stages[name].outs]
                if code or not all(out.exists() for out in outs):  # DVC ends there, too
                    return TRIED[1]
                if any(path_md5(scratch.root / out) != locked[out] for out in stages[name].outs):
                    return OTHER
        return TRIED[0]
    finally:
        shutil.rmtree(scratch.root)


def many(project: Project, read: Mapping[str, Reading], count: int, seed: int) -> Counter[str]:
    """How many edits got each verdict, by kind; each is printed."""
    stages, found = read_stages(project.root), Counter[str]()
    for number, edit in enumerate(random_edits(project.root, count, seed)):
        before = (project.root / edit.file).read_bytes()
        changed = declared(edit, stages)
        if number % 10 == 0:
            with edit.applied(project.root):
                assert changed_stages(project.root) == changed, edit
        verdict = judged(edit, before, read, changed)
        if verdict == RAN:
            verdict = tried(project, edit, stages, runners(edit, before, read))
        tell(f"{edit.kind:8} {len(changed):3} stages  {verdict:50} {edit}")
        found[f"{edit.kind}: {verdict}"] += 1
    return found


def again(project: Project, count: int, seed: int) -> bool:
    """Edits made for good, one `dvc repro` after each; whether a scratch project makes the same."""
    for edit in random_edits(project.root, count, seed):
        path = project.root / edit.file
        before, begun = path.read_bytes(), time.monotonic()
        path.write_bytes(edit.content)
        if edit.kind == "picture":
            project.dvc("add", "data")
        code, said = project.run("-m", "dvc", "repro")
        if code:
            path.write_bytes(before)
            if edit.kind == "picture":
                project.dvc("add", "data")
        seconds = time.monotonic() - begun
        did = "refused, taken back" if code else f"{said.count('Running stage')} stages ran"
        tell(f"again    {did:20} {seconds:6.0f} s  {edit}")
    project.dvc("repro")
    scratch = project.copy(project.root.with_name("scratch"))
    for name in ("work", "artifacts", "mlflow", ".dvc/cache/runs", "dvc.lock"):
        _remove(scratch.root / name)
    scratch.git("checkout", "mlflow")
    scratch.dvc("repro")
    ours, theirs = locked_paths(project.root), locked_paths(scratch.root)
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            tell(f"again    {name}: {ours.get(name)}, from scratch {theirs.get(name)}")
    return ours == theirs


def tell(row: str) -> None:
    sys.stdout.write(f"{row}\n")
    sys.stdout.flush()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main() -> int:
    """Exit code 1 where a stale output was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.line.random_edits")
    parser.add_argument("folder", type=Path, help="gets the project, or holds it already")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--again", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    folder.mkdir(exist_ok=True)
    project = make(folder)
    stages = read_stages(project.root)
    read = readings(project.root, folder / "watched", stages)
    found = many(project, read, chosen.count, chosen.seed)
    for verdict, n in sorted(found.items()):
        tell(f"{n:5}  {verdict}")
    is_same = not chosen.again or again(project, chosen.again, chosen.seed + 1)
    return int(not is_same or any(v.endswith((*WRONG, OTHER)) for v in found))


if __name__ == "__main__":
    sys.exit(main())
