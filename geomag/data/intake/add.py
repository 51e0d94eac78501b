"""New imagery: received whole, merged and validated aside, and only then put into ``data/``.

Each step can be repeated: a drop that was received is not copied again, one that was merged
changes nothing.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_chain, wait_fixed

from geomag.config import Profile
from geomag.data.benchmarks import BENCHMARKS
from geomag.data.benchmarks.own_marker import OWN_MARKER
from geomag.data.benchmarks.registry import merger_for, read_benchmark
from geomag.data.benchmarks.tree import LITTER, SUFFIXES
from geomag.data.images import open_image
from geomag.data.layouts.marker import SAMPLE_MARKER, tree_digest
from geomag.data.validate.run import REPORT, validate
from geomag.dvc_cache import is_cached
from geomag.errors import (
    AnnotationError,
    ConfigError,
    GeoMagError,
    ImageError,
    ToolError,
    UnsafePathError,
)
from geomag.io import atomic_path, file_digest, read_json, write_json
from geomag.parse import parse_json, read_text
from geomag.partial import partial_folder
from geomag.versions import require_dvc

MANIFEST = "MANIFEST.json"
_MARKERS = (SAMPLE_MARKER, OWN_MARKER)
_SHOWN = 10
_BUSY_WAITS_S = (1.0, 5.0, 15.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What a drop brought."""

    folder: Path
    """Copy of the drop under ``incoming/``."""
    new_files: tuple[str, ...]
    """Paths relative to ``data/<benchmark>``; empty if all of it was there."""
    counts: dict[str, int]
    """Records per split afterwards; empty if nothing changed."""


def add(drop: Path, benchmark: str, root: Path, profile: Profile) -> Added:
    """Take a folder in a benchmark's layout into ``data/<benchmark>``, and track it.

    Args:
        drop: Folder of labelled imagery, anywhere.
        benchmark: One of the ten.
        root: Project root.
        profile: Says which counts bind.

    Raises:
        GeoMagError: Naming the record or file at fault; ``data/`` is as it was.
        ToolError: If a stage reads ``data/`` now, or DVC cannot track it.
    """
    if benchmark not in BENCHMARKS:
        raise ConfigError(
            "--benchmark",
            repr(benchmark),
            f"one of {sorted(BENCHMARKS)}",
        )
    require_dvc(root)
    with _one_at_a_time(root):
        return _add(drop, benchmark, root, profile)


def _add(drop: Path, benchmark: str, root: Path, profile: Profile) -> Added:
    kept = set((root / "incoming").glob(f"{benchmark}-*"))
    folder = receive(drop, benchmark, root)
    base = root / "data" / benchmark
    scratch = root / "work" / "incoming" / folder.name
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        order = _merge(folder, base, scratch / benchmark, benchmark)
        changed = [name for name in order if not _same(scratch / benchmark / name, base / name)]
        counts: dict[str, int] = {}
        if changed:
            _refuse_half_pictures(folder, changed)
            counts = validate(benchmark, scratch, scratch / "records", profile).counts
            _refuse_if_read(root)
        new = tuple(name for name in changed if not (base / name).exists())
        for name in changed:
            with atomic_path(base / name) as temporary:
                shutil.copyfile(scratch / benchmark / name, temporary)
    except ToolError:
        raise
    except GeoMagError as wrong:  # about the drop: its copy is of no use, and not where to look
        if folder not in kept:
            shutil.rmtree(folder)
        for copy in (folder, scratch / benchmark):
            wrong.place = wrong.place.replace(str(copy), str(drop))
        report = scratch / "records" / REPORT
        if report.is_file():
            kept_report = root / "work" / "refused" / f"{folder.name}.json"
            kept_report.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(report, kept_report)
            wrong.remedy = wrong.remedy.replace(str(report), str(kept_report))
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _track(root)
    return Added(folder=folder, new_files=new, counts=counts)


def receive(drop: Path, benchmark: str, root: Path) -> Path:
    """Copy a drop to ``incoming/<benchmark>-<digest>``; the manifest comes last.

    Raises:
        UnsafePathError: If it holds a link.
        AnnotationError: If it is no folder, empty, or changes while it is copied.
    """
    if not drop.is_dir():
        raise AnnotationError(str(drop), "no such folder", f"imagery in the layout of {benchmark}")
    files = {name: file_digest(drop / name) for name in _files(drop)}
    if not files:
        raise AnnotationError(str(drop), "no files", f"the layout of {benchmark}")
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:12]
    target = root / "incoming" / f"{benchmark}-{digest}"
    if (target / MANIFEST).is_file():
        return target
    with partial_folder(target) as partial:
        for name, sha256 in files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(drop / name, partial / name)
            if file_digest(partial / name) != sha256:
                raise AnnotationError(
                    str(drop / name), "changed while it was copied", remedy="add it again when done"
                )
        write_json(partial / MANIFEST, {"benchmark": benchmark, "digest": digest, "files": files})
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    return target


def _files(folder: Path) -> Iterator[str]:
    """Relative paths, sorted; a link anywhere in it is refused, but one into DVC's cache."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() and not is_cached(path.resolve(), folder):
            raise UnsafePathError(str(path), "a link", "the file itself")
        is_left = any(PurePath(part).match(p) for part in Path(name).parts for p in LITTER)
        if path.is_file() and name != MANIFEST and not is_left:
            yield name


@contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    """Two drops at once would each publish annotations without the other's."""
    path = root / "work" / "incoming.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _merge(folder: Path, base: Path, out: Path, benchmark: str) -> list[str]:
    """Write the merged set to ``out``; returns the paths to publish in order, the marker last."""
    if not base.is_dir():
        raise AnnotationError(str(base), "no such folder", "the benchmark to add to")
    annotations = merger_for(benchmark)(base, folder, out)
    plain = [n for n in _files(folder) if n not in annotations and n not in _MARKERS]
    _refuse_conflicts(plain, folder, base)
    for name in _files(base):
        if not (out / name).exists() and name not in _MARKERS:
            _link(base / name, out / name)
    for name in plain:
        if not (out / name).exists():
            _link(folder / name, out / name)
    markers = [name for name in _MARKERS if (base / name).is_file()]
    for name in markers:
        _write_marker(base / name, out, benchmark)
    return [*plain, *annotations, *markers]


def _refuse_conflicts(names: list[str], folder: Path, base: Path) -> None:
    """A picture is known by its stem: one of another kind would take its place."""
    stems = {Path(name).with_suffix("") for name in _files(base) if _is_image(name)}
    wrong = [
        name
        for name in names
        if ((base / name).exists() and not _same(folder / name, base / name))
        or (not (base / name).exists() and _is_image(name) and Path(name).with_suffix("") in stems)
    ]
    if wrong:
        raise AnnotationError(
            str(base),
            f"{len(wrong)} files of another content than the drop's: {', '.join(wrong[:_SHOWN])}",
            "names that are new",
        )


def _refuse_half_pictures(folder: Path, names: Iterable[str]) -> None:
    """Validation reads headers; a picture that was half copied has a whole one."""
    for name in names:
        if _is_image(name) and (folder / name).is_file():
            with open_image(folder / name) as image:
                try:
                    image.load()
                except (OSError, SyntaxError, ValueError) as broken:
                    raise ImageError(
                        str(folder / name),
                        f"cannot be decoded ({broken})",
                        remedy="copy it again, whole",
                    ) from broken


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def _write_marker(marker: Path, out: Path, benchmark: str) -> None:
    """The marker's counts, as they are with the drop: another count would be refused later."""
    splits: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    shutil.copyfile(marker, out / marker.name)
    for record in read_benchmark(benchmark, out):
        splits[str(record.split)] += 1
        kinds[record.kind] += 1
    row = read_json(marker)
    row["counts"] = {split: splits[split] for split in sorted({*row["counts"], *splits})}
    if marker.name == OWN_MARKER:
        row["kinds"] = dict(sorted(kinds.items())) if row.get("kinds") else {}
    else:
        row["digest"] = tree_digest(out)
    if row != read_json(marker):
        write_json(out / marker.name, row)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)  # read only from here on: a copy of real imagery costs minutes
    except OSError:
        shutil.copyfile(source, target)


def _same(one: Path, other: Path) -> bool:
    if not other.is_file() or one.stat().st_size != other.stat().st_size:
        return False
    return file_digest(one) == file_digest(other)


def _refuse_if_read(root: Path) -> None:
    """DVC records inputs as they are when a stage ends, so nothing may change under it."""
    path = root / ".dvc" / "tmp" / "rwlock"
    if not path.is_file():
        return
    held = parse_json(read_text(path) or "{}", str(path))
    data = root.resolve() / "data"
    for name, users in [*held.get("read", {}).items(), *held.get("write", {}).items()]:
        place = Path(name)
        for user in users if isinstance(users, list) else [users]:
            alive = Path(f"/proc/{user['pid']}").exists()
            if alive and (place.is_relative_to(data) or data.is_relative_to(place)):
                raise ToolError(
                    str(place),
                    f"in use by {user['cmd']!r} (process {user['pid']})",
                    remedy="add the same drop again when that has ended; its copy is kept",
                )


def _track(root: Path) -> None:
    """``dvc add data``, waiting for DVC's lock, and a while for its paths."""
    command = [sys.executable, "-m", "dvc", "--quiet", "--wait-for-lock", "add", "data"]
    while_busy = Retrying(
        retry=retry_if_result(lambda done: done.returncode and "is busy" in done.stderr),
        wait=wait_chain(*map(wait_fixed, _BUSY_WAITS_S)),
        stop=stop_after_attempt(len(_BUSY_WAITS_S) + 1),
        retry_error_callback=lambda last: last.outcome and last.outcome.result(),
    )
    done = while_busy(
        subprocess.run, command, cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ToolError(
            "dvc add data",
            done.stderr.strip()[-500:],
            remedy="run it when DVC is free; data/ is whole",
        )
