"""Whether DVC is right about an edit, from what each stage read and ran without it."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from geomag_dagster.stages import Stage, overlap
from tests.line.edits import PROFILE, Edit, is_null
from tests.line.watched import UNHEARD, Reading, plumbing, statement

AGAIN = "stages that read it run again"
IDLE_READ = "stages run again that did not read it"
NOBODY = "no stage reads it"
NULL = "read as plumbing, the same program"
NOT_RUN = "read as plumbing, the line ran in no stage"
RAN = "read as plumbing, the line ran"
STALE = "a stage that read it is called up to date"
WRONG = (STALE,)


def changed_stages(root: Path) -> set[str]:
    """What `dvc status` calls changed, by itself and not for what is before it."""
    from dvc.repo import Repo

    with contextlib.chdir(root), Repo(str(root)) as repo:
        return set(repo.status()) - {"data.dvc"}


def declared(edit: Edit, stages: Mapping[str, Stage]) -> set[str]:
    """The stages that depend on what was edited: those that DVC must call changed."""
    if edit.kind == "setting":
        section = edit.what.partition(".")[0]
        return {n for n, one in stages.items() if section in dict(one.params).get(PROFILE, ())}
    return {n for n, one in stages.items() if any(overlap(edit.file, dep) for dep in one.deps)}


def readers(edit: Edit, read: Mapping[str, Reading]) -> set[str]:
    """Stages that read the file, the section, or any file of the picture's benchmark."""
    if edit.kind == "setting":
        section = edit.what.partition(".")[0]
        return {name for name, one in read.items() if section in one.settings - set(UNHEARD)}
    if edit.kind == "picture":  # some readers are native code, which nobody sees
        place = "/".join(edit.file.split("/")[:2]) + "/"
        return {n for n, one in read.items() if any(f.startswith(place) for f in one.files)}
    return {name for name, one in read.items() if edit.file in one.files}


def runners(edit: Edit, before: bytes, read: Mapping[str, Reading]) -> set[str]:
    """Stages in which the edited statement of a file of plumbing ran."""
    lines = {(edit.file, line) for line in statement(before.decode(), edit.line)}
    return {name for name, one in read.items() if lines & one.lines}


def judged(edit: Edit, before: bytes, read: Mapping[str, Reading], changed: set[str]) -> str:
    """One of the verdicts above.

    Args:
        edit: What was changed.
        before: The file without it.
        read: Of a run without it.
        changed: Stages that are to run again with it.
    """
    concerned = readers(edit, read)
    is_plumbing = edit.kind == "module" and plumbing(edit.file)
    if not is_plumbing and concerned - changed:
        return STALE
    if changed:
        return AGAIN if concerned else IDLE_READ
    if not concerned:
        return NOBODY
    if is_null(edit, before.decode()):
        return NULL
    return RAN if runners(edit, before, read) else NOT_RUN
