"""Where MLflow keeps runs: a file of the project, made whole or not at all, or a server."""

import fcntl
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from geomag.config import project_root
from geomag.errors import ToolError

SQLITE = "sqlite:///"
_MAGIC = b"SQLite format 3\0"


def tracking_uri(root: Path | None = None) -> str:
    """``MLFLOW_TRACKING_URI``, or the project's own SQLite store under ``mlflow/``."""
    default = f"{SQLITE}{(root or project_root()) / 'mlflow' / 'mlflow.db'}"
    return os.environ.get("MLFLOW_TRACKING_URI") or default


def make_store(uri: str) -> None:
    """Make the database that a tracking URI names; a server has its own."""
    if uri.startswith(SQLITE):
        create_tables(Path(uri.removeprefix(SQLITE)))


def create_tables(database: Path) -> None:
    """Make MLflow's database once, whole, under a lock.

    MLflow creates the tables one by one in a file that others can open meanwhile, and then create
    them too; so they are made under another name and the file is moved when it has them all.

    Raises:
        ToolError: If the file is no database, or another program's, which MLflow would write into.
    """
    if _has_tables(database):
        _refuse_foreign(database)
        return
    from mlflow.store.db.utils import _safe_initialize_tables, create_sqlalchemy_engine_with_retry

    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(f"{database.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _has_tables(database):  # made by another process while we waited
            return
        new = database.with_name(f"{database.name}.new")
        new.unlink(missing_ok=True)
        engine = create_sqlalchemy_engine_with_retry(f"{SQLITE}{new}")
        _safe_initialize_tables(engine)
        engine.dispose()
        new.replace(database)


def _has_tables(database: Path) -> bool:
    return database.is_file() and database.stat().st_size > 0


def _refuse_foreign(database: Path) -> None:
    with database.open("rb") as handle:
        is_sqlite = handle.read(len(_MAGIC)) == _MAGIC
    tables: set[str] = set()
    if is_sqlite:
        address = f"file:{quote(str(database.resolve()))}?mode=ro"
        try:
            with closing(sqlite3.connect(address, uri=True, timeout=1)) as opened:
                rows = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                tables = {str(name) for (name,) in rows}
        except sqlite3.OperationalError:
            return  # locked: whoever writes there now has opened it as what it is
        except sqlite3.DatabaseError:
            is_sqlite = False
    if not is_sqlite or (tables and "experiments" not in tables):
        raise ToolError(
            str(database),
            "a database of another program" if is_sqlite else "not an SQLite database",
            "MLflow's, or no file yet",
            "name another file with MLFLOW_TRACKING_URI, or move this one away",
        )


def holders(database: Path) -> list[str]:
    """Processes of this machine that lock an SQLite file to write: ``process 12 (command)``."""
    inodes = {
        str(beside.stat().st_ino)
        for suffix in ("", "-shm", "-wal")
        if (beside := database.with_name(database.name + suffix)).exists()
    }
    found: dict[str, str] = {}
    with suppress(OSError):
        for line in Path("/proc/locks").read_text(encoding="utf-8").splitlines():
            # 1: POSIX  ADVISORY  WRITE 1234 08:01:5678 1073741824 1073742335
            words = line.replace("->", "").split()
            if len(words) > 5 and words[3] == "WRITE" and words[5].rpartition(":")[2] in inodes:
                found[words[4]] = _command(words[4])
    return [f"process {number} ({command})" for number, command in found.items()]


def _command(number: str) -> str:
    try:
        raw = Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return "of another user"
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()[:120]
