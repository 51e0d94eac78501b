"""Drops that people copy by hand into ``incoming/``: found, and taken in or refused.

A drop is a folder in the layout of ``data/<benchmark>``: ``incoming/<benchmark>/<name>/``, or
``incoming/<benchmark>/`` itself where that holds the layout's own names. One that was taken in is
gone from there (its copy is kept, `incoming.receive`); one that was refused stays, and a note
beside the benchmark's folder says why.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from geomag.config import Profile
from geomag.data.benchmarks import BENCHMARKS
from geomag.data.intake.add import Added, add
from geomag.errors import AnnotationError, GeoMagError, ToolError, UnsafePathError
from geomag.io import write_text

INTAKE = "incoming"
NOTE = ".REFUSED.txt"
_RECEIVED = re.compile(rf"({'|'.join(BENCHMARKS)})-[0-9a-f]{{12}}")
_BEING_COPIED = re.compile(r"\..+\.\w{6}|.+\.(part|partial|filepart|crdownload|tmp)")
"""Names under which rsync, browsers and file transfers write until a file is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeFolder:
    """A drop as it was found at one moment."""

    intake: Path
    name: str
    """Path relative to the inbox: ``<benchmark>/<name>``, or ``<benchmark>``."""
    state: str
    """Digest of the names, sizes and times of its files: equal while nobody writes."""
    unfinished: str
    """A file that a copying tool has not renamed yet; empty if there is none."""

    @property
    def path(self) -> Path:
        """The folder, or the stray file."""
        return self.intake / self.name

    @property
    def benchmark(self) -> str:
        """One of the ten; empty if it lies in no benchmark's folder."""
        first = self.name.partition("/")[0]
        return first if first in BENCHMARKS else ""

    @property
    def note(self) -> Path:
        """Where it is said why the drop was refused."""
        return self.intake / f"{self.name.replace('/', '.')}{NOTE}"

    @property
    def is_refused(self) -> bool:
        """Whether it was refused, and has not been touched since."""
        return self.note.is_file() and self.state in self.note.read_text(encoding="utf-8")


def find(root: Path) -> list[IntakeFolder]:
    """All drops that hold a file now, in the order of their names; reads no file's content."""
    found = (drop_at(root, name) for name in _names(root))
    return [drop for drop in found if drop]


def drop_at(root: Path, name: str) -> IntakeFolder | None:
    """One drop as it is now; None if it is gone, empty, or changes while we look."""
    intake = root / INTAKE
    try:
        files = {
            p.relative_to(intake / name).as_posix(): p.lstat() for p in _entries(intake / name)
        }
    except OSError:
        return None
    if not files:
        return None
    unfinished = [n for n in files if _BEING_COPIED.fullmatch(n.rpartition("/")[2])]
    return IntakeFolder(
        intake=intake,
        name=name,
        state=_digest([(n, s.st_size, s.st_mtime_ns) for n, s in files.items()]),
        unfinished=unfinished[0] if unfinished else "",
    )


def take(root: Path, name: str, state: str, profile: Profile) -> Added | None:
    """Take a drop into ``data/`` as ``geomag data add`` does, and clear it away.

    Args:
        root: Project root.
        name: `IntakeFolder.name`.
        state: `IntakeFolder.state` as it was when the drop was asked for.
        profile: Says which counts bind.

    Returns:
        What it brought; None if it has changed since, so that it is to be looked at again.

    Raises:
        ToolError: Nothing is wrong with the drop: a stage reads ``data/``, or DVC failed.
        GeoMagError: Naming the record at fault; the drop stays, and `IntakeFolder.note` says why.
    """
    drop = drop_at(root, name)
    if drop is None or drop.state != state:
        return None
    try:
        _refuse_misplaced(drop, root)
        done = add(drop.path, drop.benchmark, root, profile)
    except ToolError:
        raise
    except GeoMagError as wrong:
        write_text(
            drop.note,
            f"{wrong}\n\nChange {INTAKE}/{name}, or touch a file of it, and it is looked at again."
            f"\n(as of state {state})\n",
        )
        raise
    drop.note.unlink(missing_ok=True)
    _clear(drop, root)
    return done


def _names(root: Path) -> Iterator[str]:
    for entry in _listed(root / INTAKE):
        name = entry.name
        if _RECEIVED.fullmatch(name) or name.endswith(NOTE):
            continue
        is_benchmark = name in BENCHMARKS and entry.is_dir() and not entry.is_symlink()
        inside = [child.name for child in _listed(entry)] if is_benchmark else []
        if not is_benchmark or _layout(root, name) & set(inside):
            yield name
        else:
            yield from (f"{name}/{child}" for child in inside)


def _listed(folder: Path) -> list[Path]:
    """What is not hidden; copies under way by `incoming.receive` are."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _layout(root: Path, benchmark: str) -> set[str]:
    return {path.name for path in _listed(root / "data" / benchmark)}


def _entries(path: Path) -> Iterator[Path]:
    """Files and links, sorted; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        yield path
        return
    for child in sorted(path.iterdir()):
        yield from _entries(child)


def _refuse_misplaced(drop: IntakeFolder, root: Path) -> None:
    if not drop.benchmark:
        raise AnnotationError(
            str(drop.path),
            "in no benchmark's folder",
            f"{INTAKE}/BENCHMARK/NAME/, with BENCHMARK one of {', '.join(BENCHMARKS)}",
            f"move it there, then remove {drop.note.name}",
        )
    if drop.path.is_symlink():
        raise UnsafePathError(str(drop.path), "a link", "the folder itself")
    layout = f"a folder in the layout of data/{drop.benchmark}"
    if not drop.path.is_dir():
        raise AnnotationError(str(drop.path), "a file", layout, "unpack it if it is an archive")
    if "/" not in drop.name:
        names = {path.name for path in _listed(drop.path) if path.is_dir()}
        foreign = sorted(names - _layout(root, drop.benchmark))
        if foreign:
            raise AnnotationError(
                str(drop.path),
                f"folders of another kind beside the layout's own: {', '.join(foreign[:10])}",
                f"{layout}, or one such folder a drop",
            )


def _clear(drop: IntakeFolder, root: Path) -> None:
    """Remove what was taken in; what came meanwhile makes the rest a drop of its own."""
    aside = drop.path.with_name(f".{drop.path.name}.taken")
    shutil.rmtree(aside, ignore_errors=True)
    drop.path.rename(aside)
    now = drop_at(root, aside.relative_to(drop.intake).as_posix())
    if now is not None and now.state != drop.state:
        aside.rename(drop.path)
        return
    shutil.rmtree(aside)


def _digest(rows: list[tuple[str, int, int]]) -> str:
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]
