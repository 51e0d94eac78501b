"""Where MLflow keeps runs: a file of the project, made whole or not at all, or a server."""

import fcntl
import os
from pathlib import Path

from geomag.config import project_root

SQLITE = "sqlite:///"


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
    """
    if _has_tables(database):
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
