"""Temporary siblings of what is being written: ``.NAME.partial``, locked by their writer.

No reader matches the name, DVC and git ignore it (``.dvcignore``), and the lock ends with the
process however that ends. So the next writer of the same target knows what a killed one left, and
takes the same place; a second writer at the same time takes ``.NAME.1.partial``.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

SUFFIX = ".partial"
_LONGEST = 200
"""Bytes of a target's name that its temporary name keeps; a name has 255 at most."""


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """Give an empty file beside ``path`` to write to, and remove it unless it was renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, lock = _taken(path, is_folder=False)
    with _held(temporary, lock):
        os.truncate(lock, 0)
        yield temporary


@contextmanager
def resumed_file(path: Path) -> Iterator[Path]:
    """Give the file beside ``path`` with what a writer before has left in it.

    It is removed at the end unless it was renamed, and after an exception only if it is empty:
    else the next writer goes on from it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, lock = _taken(path, is_folder=False)
    with _held(temporary, lock, keeps=True):
        yield temporary


@contextmanager
def partial_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside ``path`` to fill, and remove it unless it was renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, lock = _taken(path, is_folder=True)
    with _held(temporary, lock):
        for left in temporary.iterdir():
            _remove(left)
        yield temporary


def is_partial(name: str) -> bool:
    """Whether a file's or folder's name is that of something half-written.

    >>> is_partial(".magcrop.jsonl.partial"), is_partial("magcrop.jsonl")
    (True, False)
    """
    return name.startswith(".") and name.endswith(SUFFIX)


@contextmanager
def _held(temporary: Path, lock: int, *, keeps: bool = False) -> Iterator[None]:
    is_kept = keeps
    try:
        yield
        is_kept = False
    finally:
        is_left = is_kept and os.fstat(lock).st_size > 0
        if not is_left and _is_at(lock, temporary):  # renamed, the name may be another writer's
            _remove(temporary)
        os.close(lock)


def _taken(path: Path, *, is_folder: bool) -> tuple[Path, int]:
    """The first free place for ``path`` and the lock on it; stale ones after it are removed."""
    places = _places(path)
    for place in places:
        try:
            lock = _locked(place, is_folder=is_folder)
        except OSError:
            if os.access(path.parent, os.W_OK | os.X_OK) and place.exists():
                return _unlocked(path, is_folder=is_folder)  # a file system without locks
            raise
        if lock is not None:
            _sweep(places)
            return place, lock
    raise AssertionError("places have no end")


def _places(path: Path) -> Iterator[Path]:
    name = path.name.encode()[:_LONGEST].decode(errors="ignore")
    yield path.with_name(f".{name}{SUFFIX}")
    yield from (path.with_name(f".{name}.{number}{SUFFIX}") for number in count(1))


def _locked(place: Path, *, is_folder: bool) -> int | None:
    """Make or take over ``place`` under a lock; None where another process writes to it."""
    while True:
        if is_folder:
            place.mkdir(exist_ok=True)
        flags = os.O_RDONLY | os.O_DIRECTORY if is_folder else os.O_RDWR | os.O_CREAT
        try:
            lock = os.open(place, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:  # renamed or removed since it was made
            if not place.parent.is_dir():
                raise
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        except OSError:
            os.close(lock)
            raise
        if _is_at(lock, place):
            return lock
        os.close(lock)


def _is_at(lock: int, place: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), place.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _sweep(places: Iterator[Path]) -> None:
    """Remove what killed writers left at the further places."""
    for place in places:
        if not place.exists():
            return
        with suppress(OSError):  # of another user, or where there are no locks: in nobody's way
            lock = _locked(place, is_folder=place.is_dir())
            if lock is not None:
                _remove(place)
                os.close(lock)


def _unlocked(path: Path, *, is_folder: bool) -> tuple[Path, int]:
    """A place of a name of its own, which no later writer can tell from a live one."""
    beginning, place = f".{path.name[: _LONGEST // 4]}.", str(path.parent)
    if is_folder:
        name = tempfile.mkdtemp(SUFFIX, beginning, place)
        Path(name).chmod(0o777 & ~_umask())
        return Path(name), os.open(name, os.O_RDONLY)
    lock, name = tempfile.mkstemp(SUFFIX, beginning, place)
    Path(name).chmod(0o666 & ~_umask())
    return Path(name), lock


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
