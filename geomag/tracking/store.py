"""MLflow's store of runs: started, taken up, written to and ended, or the reason why not."""

import fcntl
import functools
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_chain,
    wait_fixed,
)

from geomag.errors import ToolError
from geomag.tracking.database import SQLITE, holders, make_store, tracking_uri
from geomag.tracking.entries import WRITERS, logged_model
from geomag.tracking.offline_queue import Entry, OfflineQueue, is_alive

T = TypeVar("T")

KEY = "geomag.key"
"""Tag that says which stage, settings, code and checkpoints a run belongs to; an interrupted run is
resumed by it."""
DELIVERY = "geomag.delivery"
"""Tag that names the queue a run came from: it is delivered once, however often that is tried."""
WAITS_S = (0.2, 1.0)
"""Pauses after the first tries of one call; when the next has failed, MLflow counts as down."""
LOCKED_S, LOOK_S = 60.0, 0.2
"""Seconds that one call waits for another process that writes to the same SQLite file, and how
often it looks."""
CANDIDATE, PARENT = "candidate", "mlflow.parentRunId"
"""Experiment of the parents, one for each Dagster run, and MLflow's tag of a child."""


class TrackerDownError(ToolError):
    """MLflow did not take an entry, and retrying did not help."""


class Store:
    """MLflow itself; every method raises `TrackerDownError` if it does not answer."""

    def __init__(self, root: Path) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        import mlflow

        if not hasattr(mlflow, "MlflowClient"):  # the project's folder mlflow/ answers to the name
            raise ToolError("mlflow", "the package is not installed", remedy="run make setup")
        self._root = root
        uri = tracking_uri(root)
        self._is_local = uri.startswith(SQLITE)
        self._insist(lambda: make_store(uri))
        self._client = mlflow.MlflowClient(tracking_uri=uri)
        self._experiment_of: dict[str, str] = {}

    def start(self, entry: Entry) -> tuple[str, int]:
        """Create the run an entry describes, or take up an interrupted one of the same key.

        Other runs of the experiment whose process is gone are ended as ``KILLED``.

        Returns:
            The run id, and the last step it has metrics of (-1 when there are none).
        """
        experiment, tags = self._experiment(entry["stage"]), entry["tags"]
        if known := entry.get("run_id"):
            return known, -1
        if known := self._tagged(experiment, DELIVERY, tags.get(DELIVERY, "")):
            return known, -1
        earlier = self._interrupted(experiment, tags.get(KEY, "")) if entry.get("resumes") else ""
        self._end_left(experiment, but=earlier)
        if earlier:
            self._insist(lambda: self._take_up(earlier, tags))
            return earlier, self._last_step(earlier)
        return self._create(experiment, entry), -1

    def apply(self, run_id: str, entry: Entry, content: bytes = b"") -> None:
        """Log one entry, as its ``op`` says."""
        self._insist(lambda: WRITERS[entry["op"]](self._client, run_id, entry, content))

    def deliver(self, queue: OfflineQueue) -> None:
        """Log all entries of a queue; after a failure half-way it may be done again.

        The run of a process that was killed ends as ``KILLED``.
        """
        run_id = ""
        for entry, content in queue.entries():
            if entry["op"] == "start":
                tags = {**entry["tags"], DELIVERY: queue.folder.name}
                run_id, _ = self.start({**entry, "tags": tags})
            else:
                self.apply(run_id, entry, content)
        if run_id and not queue.is_complete():
            self.apply(run_id, {"op": "end", "status": "KILLED"})

    def close(self, dagster_run_id: str) -> int:
        """End as ``KILLED`` the running runs of one Dagster run whose process is gone."""

        def left() -> list[Any]:
            experiments = [e.experiment_id for e in self._client.search_experiments()]
            query = f"tags.`dagster.run_id` = '{dagster_run_id}' and attributes.status = 'RUNNING'"
            found = self._client.search_runs(experiments, query)
            return [run for run in found if not is_alive(run.data.tags.get("owner", ""))]

        def end(run_id: str) -> None:
            self._client.set_terminated(run_id, "KILLED")

        runs = self._insist(left)
        for run in runs:
            self._insist(functools.partial(end, run.info.run_id))
        return len(runs)

    def search(
        self, experiments: Iterable[str], query: str, order_by: Iterable[str], limit: int
    ) -> list[Any]:
        """Runs of the named experiments that match MLflow's ``query``, at most ``limit``."""

        def found() -> list[Any]:
            known = map(self._client.get_experiment_by_name, experiments)
            ids = [one.experiment_id for one in known if one]
            order = list(order_by)
            return list(self._client.search_runs(ids, query, 1, limit, order)) if ids else []

        return self._insist(found)

    def trainer(self, md5: str) -> str:
        """The run that made the newest part of this version; empty if none did."""

        def found() -> str:
            model = logged_model(self._client, md5)
            return str(model.source_run_id or "") if model else ""

        return self._insist(found)

    def tags(self, run_id: str) -> dict[str, str]:
        """All tags of a run."""
        return dict(self._insist(lambda: self._client.get_run(run_id)).data.tags)

    def retagged(self, md5: str) -> str:
        """What a part logged as this version, which no tag names, is tagged with; empty if none.

        MLflow lets nobody change the parameters of a logged model; its tags it does.
        """

        def found() -> str:
            experiments = [e.experiment_id for e in self._client.search_experiments()]
            query = f"params.`dvc.md5` = '{md5}'"
            models = self._client.search_logged_models(experiments, query, max_results=1)
            return str(models[0].tags.get("dvc.md5", "nothing")) if models else ""

        return self._insist(found)

    def url(self, run_id: str) -> str:
        """The run's page on the server that ``make ui`` starts."""
        server = os.environ.get("GEOMAG_MLFLOW_URL", "http://127.0.0.1:5000").rstrip("/")
        run = self._insist(lambda: self._client.get_run(run_id))
        return f"{server}/#/experiments/{run.info.experiment_id}/runs/{run_id}"

    def _insist(self, call: Callable[[], T]) -> T:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        failures = (MlflowException, SQLAlchemyError, OSError)

        def is_locked(failure: BaseException) -> bool:
            return self._is_local and "database is locked" in str(failure)

        patient = Retrying(
            retry=retry_if_exception(lambda e: isinstance(e, failures) and is_locked(e)),
            wait=wait_fixed(LOOK_S),
            stop=stop_after_delay(LOCKED_S),
            reraise=True,
        )
        insistent = Retrying(
            retry=retry_if_exception(lambda e: isinstance(e, failures) and not is_locked(e)),
            wait=wait_chain(*map(wait_fixed, WAITS_S)),
            stop=stop_after_attempt(len(WAITS_S) + 1),
            reraise=True,
        )
        try:
            answer: T = insistent(patient, call)
            return answer
        except failures as failure:
            said = str(failure).partition("\n")[0][:300]
            raise self._down(said, is_locked=is_locked(failure)) from failure

    def _down(self, said: str, *, is_locked: bool) -> TrackerDownError:
        uri = tracking_uri(self._root)
        if not is_locked:
            return TrackerDownError(f"MLflow at {uri}", said, remedy="see MLFLOW_TRACKING_URI")
        by = holders(Path(uri.removeprefix(SQLITE)))
        return TrackerDownError(
            f"MLflow at {uri}",
            f"locked for {LOCKED_S:.0f} s by {', '.join(by) or 'a process that we cannot see'}",
            remedy="end that process, or wait for it, and run the command again",
        )

    def _experiment(self, name: str) -> str:
        if name not in self._experiment_of:
            self._experiment_of[name] = self._insist(lambda: self._find_or_create(name))
        return self._experiment_of[name]

    def _find_or_create(self, name: str) -> str:
        if found := self._client.get_experiment_by_name(name):
            return str(found.experiment_id)
        place = (self._root / "mlflow" / "artifacts" / name).as_uri() if self._is_local else None
        return str(self._client.create_experiment(name, artifact_location=place))

    def _create(self, experiment: str, entry: Entry) -> str:
        from mlflow.entities import Param

        tags = entry["tags"]
        if dagster := tags.get("dagster.run_id"):
            parent = self._insist(lambda: self._candidate(dagster, entry["tags"]))
            tags = {**tags, PARENT: parent}
        name = tags.get("dvc.stage", entry["stage"])
        run = self._insist(lambda: self._client.create_run(experiment, tags=tags, run_name=name))
        run_id = str(run.info.run_id)
        params = [Param(key, value[:6000]) for key, value in entry["params"].items()]
        for first in range(0, len(params), 100):  # MLflow's limit of one batch
            part = params[first : first + 100]
            self._insist(functools.partial(self._client.log_batch, run_id, params=part))
        return run_id

    def _candidate(self, dagster: str, tags: Mapping[str, str]) -> str:
        """The parent of all stages of one Dagster run, made by whichever of them comes first."""
        experiment = self._experiment(CANDIDATE)
        lock = self._root / "work" / "candidate.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            query = f"tags.`dagster.run_id` = '{dagster}'"
            if found := self._client.search_runs([experiment], query, max_results=1):
                return str(found[0].info.run_id)
            kept = {k: v for k, v in tags.items() if k in ("profile", "git.commit", "git.dirty")}
            run = self._client.create_run(
                experiment, tags={**kept, "dagster.run_id": dagster}, run_name=dagster[:8]
            )
            # it computes nothing itself, so nobody could be relied on to end it
            self._client.set_terminated(run.info.run_id, "FINISHED")
            return str(run.info.run_id)

    def _interrupted(self, experiment: str, key: str) -> str:
        """The newest unfinished run of this key whose process is gone; empty if there is none."""
        query = f"tags.`{KEY}` = '{key}' and attributes.status != 'FINISHED'"
        found = self._insist(
            lambda: self._client.search_runs([experiment], query, max_results=1) if key else []
        )
        for run in found:
            if run.info.status != "FAILED" and not is_alive(run.data.tags.get("owner", "")):
                return str(run.info.run_id)
        return ""

    def _tagged(self, experiment: str, tag: str, value: str) -> str:
        query = f"tags.`{tag}` = '{value}'"
        found = self._insist(
            lambda: self._client.search_runs([experiment], query, max_results=1) if value else []
        )
        return str(found[0].info.run_id) if found else ""

    def _end_left(self, experiment: str, *, but: str) -> None:
        """End what killed processes of ours left running in an experiment."""
        query = "attributes.status = 'RUNNING'"
        for run in self._insist(lambda: self._client.search_runs([experiment], query)):
            owner = run.data.tags.get("owner", "")
            if owner and run.info.run_id != but and not is_alive(owner):
                self.apply(run.info.run_id, {"op": "end", "status": "KILLED"})

    def _take_up(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Make a run this process's own."""
        for key, value in tags.items():
            self._client.set_tag(run_id, key, value)
        self._client.update_run(run_id, status="RUNNING")

    def _last_step(self, run_id: str) -> int:
        def steps() -> list[int]:
            names = self._client.get_run(run_id).data.metrics
            histories = [self._client.get_metric_history(run_id, name) for name in names]
            return [metric.step for history in histories for metric in history]

        return max(self._insist(steps), default=-1)
