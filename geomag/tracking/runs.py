"""Runs, metrics, pictures, scores and model parts, as the stages log them.

Work is never lost for want of a tracker: when MLflow fails, what was to be logged goes to a queue
under ``work/`` and `sync` delivers it later. Scores always travel that way, so that scoring does
not pay for the import.
"""

import fcntl
import io
import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from geomag.config import project_root
from geomag.io import value_digest, write_json
from geomag.tracking.offline_queue import Entry, OfflineQueue
from geomag.tracking.store import KEY, Store, TrackerDownError
from geomag.versions import git_tags

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)

Scalar = str | int | float | bool
ADAPTER, ANSWERS = "dvc.md5.adapter", "predictions.sha256"
"""Tags of a scoring run: by them a table cell finds the run that made it."""


class Run:
    """One MLflow run; while MLflow is away it writes to a queue instead, and says so once."""

    def __init__(self, root: Path, start: Entry) -> None:
        self.id = ""
        """MLflow's run id; empty while MLflow is away."""
        self.url = ""
        """The run's page on the server that ``make ui`` starts."""
        self._root = root
        self._start = start
        self._store: Store | None = None
        self._queue: OfflineQueue | None = None
        self._logged_step = -1
        try:
            self._store = Store(root)
            self.id, self._logged_step = self._store.start(start)
            self.url = self._store.url(self.id)
        except TrackerDownError as failure:
            self._go_offline(failure)

    def log_metrics(self, values: Mapping[str, float], *, step: int | None = None) -> None:
        """Log numbers; after a resume, steps that were logged before are skipped."""
        if step is not None and step <= self._logged_step:
            return
        numbers = {name: float(value) for name, value in values.items()}
        self._log({"op": "metrics", "values": numbers, "step": step or 0, "time": _now_ms()})

    def log_image(
        self, image: "Path | np.ndarray[Any, Any]", name: str, *, step: int | None = None
    ) -> None:
        """Log a picture: a file, or an array ``[H, W, 3]`` or ``[H, W]`` of uint8."""
        from PIL import Image

        picture = Image.open(image) if isinstance(image, Path) else Image.fromarray(image)
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, "PNG")
        file = name if step is None else f"{name}_{step:06d}"
        self._log({"op": "file", "name": f"pictures/{file}.png"}, buffer.getvalue())

    def log_json(self, value: Any, name: str) -> None:
        """Log a JSON-able value as the artifact ``name``."""
        text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
        self._log({"op": "file", "name": name}, text.encode())

    def log_part(self, name: str, *, md5: str, params: Mapping[str, Scalar]) -> None:
        """Record a trained part (``adapter``, ``decoder`` ...) as a model whose bytes DVC keeps.

        Args:
            name: Part, as in the asset key ``model/<name>``.
            md5: What DVC writes for the part's folder (`geomag.versions.path_md5`).
            params: Settings that made it.
        """
        self._log({"op": "part", "name": name, "md5": md5, "params": _texts(params)})

    def end(self, status: str) -> None:
        """Close the run as ``FINISHED``, ``FAILED`` or ``KILLED``."""
        self._log({"op": "end", "status": status})
        if self._queue:
            log.warning("MLflow entries wait in %s for `geomag runs sync`", self._queue.folder)

    def _log(self, entry: Entry, content: bytes = b"") -> None:
        if self._store is not None:
            try:
                self._store.apply(self.id, entry, content)
                return
            except TrackerDownError as failure:
                self._go_offline(failure)
        assert self._queue is not None
        self._queue.add(entry, content)

    def _go_offline(self, failure: Exception) -> None:
        self._store = None
        self._queue = OfflineQueue.create(self._root)
        self._queue.add({**self._start, "run_id": self.id})
        log.warning(
            "MLflow does not answer (%s); this run is written to %s and delivered later",
            str(failure).partition("\n")[0][:200],
            self._queue.folder,
        )


@contextmanager
def run(
    *,
    stage: str,
    params: Mapping[str, Scalar] | None = None,
    tags: Mapping[str, str] | None = None,
    resumes: bool = False,
    root: Path | None = None,
) -> Iterator[Run]:
    """Track one stage: parameters once, then metrics and pictures; the end is always recorded.

    Work that goes on from a checkpoint continues the run that was interrupted with the same stage,
    parameters, tags, commit and dirty flag; what starts over begins a new run. SIGTERM, an
    interrupt and `SystemExit` end it as ``KILLED``, any other exception as ``FAILED``.

    Args:
        stage: Word of the DVC stage; also the MLflow experiment.
        params: Flat settings (`geomag.config.flat_params`).
        tags: Further tags; profile, commit, DVC stage and Dagster run are added here.
        resumes: Whether the work goes on from where a killed process has left it.
        root: Project root; found from the working directory if not given.
    """
    root = root or project_root()
    sync(root)
    start: Entry = {"op": "start", "stage": stage, "params": _texts(params or {})}
    key = value_digest([stage, start["params"], dict(tags or {}), git_tags(root)])
    start["tags"] = {"dvc.stage": stage, **_context_tags(root), **(tags or {}), KEY: key}
    start["resumes"] = resumes
    current = Run(root, start)
    _remember(root, current, stage)
    status = "FAILED"
    with _sigterm_as_exit():
        try:
            yield current
            status = "FINISHED"
        except (KeyboardInterrupt, SystemExit):
            status = "KILLED"
            raise
        finally:
            current.end(status)


def log_scores(
    benchmark: str,
    arm: str,
    scores: Mapping[str, Any],
    *,
    dataset_md5: str,
    model_md5: str = "",
    root: Path | None = None,
) -> None:
    """Record a score table, bound to the answers and to versions of dataset and adapter.

    Written to disk only; `sync` delivers it, which the report stage does.

    Args:
        benchmark: One of the ten names.
        arm: ``magcrop`` or ``plain``.
        scores: The score JSON; its ``metrics`` become MLflow metrics, and the sha256 of the
            answers in its ``protocol`` a tag.
        dataset_md5: DVC version of ``data/<benchmark>``.
        model_md5: DVC version of the adapter that answered, if known.
        root: Project root.
    """
    root = root or project_root()
    tags = {
        "benchmark": benchmark,
        "arm": arm,
        ADAPTER: model_md5,
        ANSWERS: str(scores.get("protocol", {}).get("predictions_sha256", "")),
    }
    queue = OfflineQueue.create(root)
    queue.add(
        {
            "op": "start",
            "stage": "score",
            "params": {},
            "tags": {"dvc.stage": f"score@{benchmark}", **_context_tags(root), **tags},
        }
    )
    metrics = {
        name: float(value)
        for name, value in scores.get("metrics", {}).items()
        if isinstance(value, (int, float))
    }
    entry = {"op": "scores", "values": metrics, "dataset": benchmark, "md5": dataset_md5}
    queue.add({**entry, "model_md5": model_md5, "time": _now_ms()})
    queue.add({"op": "file", "name": "scores.json"}, json.dumps(dict(scores), indent=1).encode())
    queue.add({"op": "end", "status": "FINISHED"})


def close_runs(dagster_run_id: str, *, root: Path | None = None) -> int:
    """End as ``KILLED`` what a Dagster run left running; returns the number of runs closed."""
    try:
        return Store(root or project_root()).close(dagster_run_id)
    except TrackerDownError as failure:
        log.warning("MLflow does not answer: %s", failure)
        return 0


def sync(root: Path | None = None) -> int:
    """Deliver what waits in the queue, and what killed processes left; returns how many runs.

    What MLflow does not take stays; a run that it took in part is completed the next time. While
    another process is delivering, that one does it.
    """
    root = root or project_root()
    if not (spools := OfflineQueue.waiting(root)):
        return 0
    delivered = 0
    with (root / "work" / "mlflow-spool" / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            store = Store(root)
            for queue in spools:
                store.deliver(queue)
                queue.remove()
                delivered += 1
        except BlockingIOError:
            return 0
        except TrackerDownError as failure:
            log.warning("MLflow does not answer: %s", str(failure).partition("\n")[0][:200])
    return delivered


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _texts(values: Mapping[str, Scalar]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def _context_tags(root: Path) -> dict[str, str]:
    """What a run can be found by later: who started it, from which commit, on which host."""
    tags = {"owner": f"{socket.gethostname()}:{os.getpid()}", **git_tags(root)}
    for tag, variable in {
        "dvc.stage": "DVC_STAGE",
        "dagster.run_id": "GEOMAG_RUN_ID",
        "dagster.step_key": "GEOMAG_STEP_KEY",
        "profile": "GEOMAG_PROFILE",
    }.items():
        if value := os.environ.get(variable):
            tags[tag] = value
    return tags


def _remember(root: Path, current: Run, stage: str) -> None:
    """Leave the run's address where the Dagster asset looks for it."""
    name = os.environ.get("DVC_STAGE", stage)
    address = {"run_id": current.id, "url": current.url}
    write_json(root / "work" / "mlflow-runs" / f"{name}.json", address)


@contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """Let SIGTERM unwind the stack, unless the caller handles it already."""
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if ours:
        signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
