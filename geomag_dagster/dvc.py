"""The runner: one DVC stage in a process group of its own, then what ``dvc.lock`` says of it."""

import contextlib
import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from geomag.errors import AnnotationError, ConfigError
from geomag.line_profile import refuse_other_profile
from geomag.progress import latest
from geomag.versions import read_lock, untracked_inputs
from geomag_dagster.inputs import Snapshot, differing, snapshot
from geomag_dagster.stages import Stage

TELL_EVERY_S = 15.0
"""Seconds between two lines of a stage's progress in Dagster's event log."""
BUSY = ("is busy", "Unable to acquire lock")
"""What DVC prints when a path or the project is in use by another command: it passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """A stage that is up to date, whether its command ran or DVC found nothing to do."""

    versions: dict[str, str]
    """DVC's md5 of each output, as ``dvc.lock`` records it."""
    ran: bool
    """Whether the command ran; False when nothing it depends on had changed."""
    seconds: float
    """Wall time, DVC's own included."""
    log: Path
    """All that the command printed."""
    run_url: str
    """Page of the MLflow run that the command made, or empty."""

    @property
    def version(self) -> str:
        """One version for all outputs."""
        if len(self.versions) == 1:
            return next(iter(self.versions.values()))
        lines = sorted(f"{path}:{md5}" for path, md5 in self.versions.items())
        return hashlib.md5("\n".join(lines).encode(), usedforsecurity=False).hexdigest()


class DvcResource(dg.ConfigurableResource[Any]):
    """Runs stages of the project at ``root`` through the DVC command line."""

    root: str
    grace_s: float = 60.0
    """Seconds between the interrupt and the kill of a stage that is stopped."""
    busy_retries: int = 20
    busy_wait_s: float = 15.0

    def run(
        self,
        stage: Stage,
        *,
        extra_env: dict[str, str] | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> StageResult:
        """Bring one stage up to date, without its upstream: Dagster orders those.

        Args:
            stage: From `read_stages`.
            extra_env: Variables of its process.
            tell: Takes a line of its progress now and then (`geomag.progress`).

        Raises:
            dagster.Failure: ``GEOMAG_PROFILE`` is not the line's, the command failed, an input
                changed while it ran, or a benchmark was read in a state that ``data.dvc`` does
                not track.
            dagster.RetryRequested: Another DVC command uses a path of this stage.
        """
        started = time.monotonic()
        root = Path(self.root)
        self._refuse_other_profile()
        log = root / "work" / "logs" / f"{stage.name}.log"
        marker = root / "work" / "dvc-force" / stage.name
        before = snapshot(root, stage.deps)
        dvc = ["dvc", "--wait-for-lock", "repro", "--single-item", stage.name]
        forced = ["--force"] if marker.is_file() else []
        process = self._supervised([*dvc, *forced], log, extra_env=extra_env or {})
        code = self._followed(process, log, tell)
        printed = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        if code:
            self._refuse(stage, code, printed, log)
        ran = f"Running stage '{stage.name}'" in printed
        if ran:
            self._check_inputs(stage, before, marker, log)
        self._check_tracked(stage)
        marker.unlink(missing_ok=True)
        return StageResult(
            versions=self.versions(stage),
            ran=ran,
            seconds=time.monotonic() - started,
            log=log,
            run_url=_run_url(root, stage),
        )

    def run_shard(
        self,
        stage: Stage,
        shard: str,
        *,
        extra_env: dict[str, str],
        tell: Callable[[str], None],
    ) -> bool:
        """Answer a shard of a predict stage, unless the stage is up to date; whether it was done.

        Args:
            stage: Its command gets ``--shard``.
            shard: ``i/n``.
            extra_env: As `run`.
            tell: As `run`.

        Raises:
            dagster.Failure: ``GEOMAG_PROFILE`` is not the line's, or the command failed.
        """
        self._refuse_other_profile()
        name = f"{stage.name}.{shard.replace('/', '-of-')}"
        log = Path(self.root) / "work" / "logs" / f"{name}.log"
        status = ["dvc", "--wait-for-lock", "status", "--json", stage.name]
        command = stage.cmd.split()[2:]  # after python -m
        for words in (status, [*command, "--shard", shard]):
            process = self._supervised(words, log, extra_env=extra_env)
            code = self._followed(process, log, tell)
            printed = log.read_text(encoding="utf-8", errors="replace")
            if code:
                self._refuse(stage, code, printed, log)
            if words is status and printed.splitlines()[-1:] == ["{}"]:
                return False
        return True

    def _refuse_other_profile(self) -> None:
        """Refuse before DVC, which finds a stage up to date without a look at the environment."""
        try:
            refuse_other_profile(Path(self.root))
        except ConfigError as wrong:
            raise dg.Failure(str(wrong), allow_retries=False) from None

    def _check_tracked(self, stage: Stage) -> None:
        """Refuse to report what was made from files that have no version."""
        root = Path(self.root)
        for path, (read, tracked) in untracked_inputs(root, read_lock(root), stage.name).items():
            raise dg.Failure(
                f"{stage.name} read {path} as {read}, and data.dvc tracks {tracked}: the files "
                "have changed. Run `dvc add data` to make them a version, or `dvc checkout data` "
                "to have the tracked ones back",
                metadata={"read": read, "data.dvc": tracked},
                allow_retries=False,
            )

    def versions(self, stage: Stage) -> dict[str, str]:
        """The md5 of each output in ``dvc.lock``, which another process may just be rewriting."""

        def recorded() -> dict[str, str]:
            try:
                entry = read_lock(Path(self.root)).get(stage.name, {})
            except AnnotationError:
                entry = {}
            return {out["path"]: out["md5"] for out in entry.get("outs", []) if "md5" in out}

        until_whole = Retrying(
            retry=retry_if_result(lambda found: set(found) != set(stage.outs)),
            wait=wait_fixed(0.05),
            stop=stop_after_delay(5),
        )
        try:
            return until_whole(recorded)
        except RetryError as missing:
            raise dg.Failure(
                f"dvc.lock has no complete entry for {stage.name}; run `dvc repro {stage.name}`"
            ) from missing

    def _supervised(
        self, words: list[str], log: Path, *, extra_env: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start ``python -m WORDS`` in a process group of its own."""
        guard = [sys.executable, "-m", "geomag_dagster.supervise", "--log", str(log)]
        guard += ["--grace", str(self.grace_s), "--parent", str(os.getpid())]
        if worker := multiprocessing.parent_process():  # the run's process, when we were forked
            guard += ["--watch", str(worker.pid)]
        lease = [int(fd) for fd in os.environ.get("GEOMAG_LEASE_FDS", "").split(",") if fd]
        return subprocess.Popen(
            [*guard, "--", sys.executable, "-m", *words],
            cwd=self.root,
            env={**os.environ, **stage_env(), **extra_env},
            stdin=subprocess.DEVNULL,
            pass_fds=lease,
        )

    def _followed(
        self, process: subprocess.Popen[bytes], log: Path, tell: Callable[[str], None]
    ) -> int:
        """Wait for the stage, and tell how far it is; returns its exit code."""
        told = None
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(TELL_EVERY_S)
                if (progress := latest(log)) and progress != told:
                    told = progress
                    tell(progress.line)
        except BaseException:  # an interrupt from Dagster: stop the stage in order, then go on up
            process.terminate()
            process.wait(self.grace_s + 10)
            raise

    def _refuse(self, stage: Stage, code: int, printed: str, log: Path) -> None:
        tail = "\n".join(printed.splitlines()[-12:])
        if any(phrase in printed for phrase in BUSY):
            raise dg.RetryRequested(self.busy_retries, seconds_to_wait=self.busy_wait_s)
        raise dg.Failure(
            f"stage {stage.name} ended with {_ending(code)}\n{tail}",
            metadata={"log": dg.MetadataValue.path(str(log)), "last lines": tail},
        )

    def _check_inputs(self, stage: Stage, before: Snapshot, marker: Path, log: Path) -> None:
        changed = differing(before, snapshot(Path(self.root), stage.deps))
        if changed:
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.write_text("\n".join(changed), encoding="utf-8")
            raise dg.Failure(
                f"{', '.join(changed)} changed while {stage.name} ran, and dvc.lock records the "
                "new state. The next attempt runs the stage again",
                metadata={"log": dg.MetadataValue.path(str(log))},
            )


def stage_env() -> dict[str, str]:
    """What every stage's process needs: the venv first on PATH, and tools that call nobody."""
    venv = str(Path(sys.executable).parent)
    return {
        "PATH": f"{venv}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GX_ANALYTICS_ENABLED": "False",
        "RAY_USAGE_STATS_ENABLED": "0",
        "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
    }


def _ending(code: int) -> str:
    """An exit code in words. A command that fails is DVC's 255; a signal is DVC's own end."""
    if code - 128 not in set(signal.Signals):
        return f"exit code {code}"
    name = signal.Signals(code - 128).name
    killed = ", by the kernel for want of memory if by nobody else" * (name == "SIGKILL")
    return (
        f"{name} to DVC itself{killed}. The command was ended with it and nothing is recorded; "
        "the next attempt goes on from what the command has saved"
    )


def _run_url(root: Path, stage: Stage) -> str:
    path = root / "work" / "mlflow-runs" / f"{stage.name}.json"
    return str(json.loads(path.read_text(encoding="utf-8"))["url"]) if path.is_file() else ""
