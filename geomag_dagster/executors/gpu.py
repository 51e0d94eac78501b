"""``gpu_executor``: a process per step on this machine, GPUs leased by lock, cores divided."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.executor_definition import (
    multiple_process_executor_requirements,
)
from dagster._core.events import DagsterEvent, DagsterEventType, EngineEventData
from dagster._core.execution.retries import RetryMode, get_retries_config
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepDelegatingExecutor,
    StepHandler,
    StepHandlerContext,
)

from geomag_dagster.compute import CPUS, GPUS
from geomag_dagster.dvc import stage_env

ENDINGS = {
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.STEP_UP_FOR_RETRY,
}
SIGNS = {
    "CUDA out of memory": "the GPU's memory is full: lower train.micro_batch or predict.batch",
    "No space left on device": "the disk is full",
}
"""What a log says to what it means for the reader."""


class ProcessStepHandler(StepHandler):
    """Starts, watches and ends step processes, each the leader of its own process group."""

    def __init__(self, *, lease_folder: Path, log_folder: Path, grace_s: float, slots: int) -> None:
        self._lease_folder = lease_folder
        self._log_folder = log_folder
        self._grace_s = grace_s
        self._slots = slots
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def name(self) -> str:
        """Name of the handler in the event log."""
        return "ProcessStepHandler"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Start the step's process; it waits for its GPUs by itself, so this never blocks."""
        key, run_id = _step_of(step_handler_context), step_handler_context.dagster_run.run_id
        tags = step_handler_context.step_tags[key]
        gpus = int(tags.get(GPUS, "0"))
        log = self._log(run_id, key)
        log.parent.mkdir(parents=True, exist_ok=True)
        lease = [sys.executable, "-m", "geomag_dagster.executors.lease", "--gpus", str(gpus)]
        lease += ["--folder", str(self._lease_folder), "--parent", str(os.getpid())]
        lease += ["--holder", f"run {run_id} step {key}", "--"]
        with log.open("wb") as out:
            self._processes[key] = subprocess.Popen(
                [*lease, *_command(step_handler_context)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self._environment(step_handler_context, tags),
                start_new_session=True,
            )
        yield DagsterEvent.step_worker_starting(
            step_handler_context.get_step_context(key),
            message=f"{gpus} GPU(s), process {self._processes[key].pid}",
            metadata={
                "pid": dg.MetadataValue.int(self._processes[key].pid),
                "log": dg.MetadataValue.path(str(log)),
            },
        )

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """Unhealthy once the process is gone without having said in the event log how it ended."""
        key, run_id = _step_of(step_handler_context), step_handler_context.dagster_run.run_id
        process = self._processes.get(key)
        if process is None:
            return CheckStepHealthResult.unhealthy("this run worker did not start it")
        code = process.poll()
        if code is None or _has_ended(step_handler_context, key):
            return CheckStepHealthResult.healthy()
        _signal_group(process, signal.SIGKILL)
        return CheckStepHealthResult.unhealthy(self._reason(code, self._log(run_id, key)))

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Interrupt the step's group, wait for the grace so that it saves, then kill it.

        All steps are interrupted at the first call: they save their states side by side.
        """
        key = _step_of(step_handler_context)
        running = [process for process in self._processes.values() if process.poll() is None]
        for process in running:
            _signal_group(process, signal.SIGINT)
        deadline = time.monotonic() + self._grace_s
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            _signal_group(process, signal.SIGKILL)
        yield DagsterEvent.engine_event(
            step_handler_context.get_step_context(key), f"Stopped step {key}", EngineEventData()
        )

    def _environment(self, context: StepHandlerContext, tags: Any) -> dict[str, str]:
        cores = os.cpu_count() or 1
        threads = str(max(1, min(cores, int(tags.get(CPUS, "0")) or cores // self._slots)))
        given = {var["name"]: var["value"] for var in context.execute_step_args.get_command_env()}
        return {
            **os.environ,
            **stage_env(),
            **given,
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
        }

    def _log(self, run_id: str, key: str) -> Path:
        return self._log_folder / run_id / f"{key}.log"

    def _reason(self, code: int, log: Path) -> str:
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        means = [meaning for sign, meaning in SIGNS.items() if sign in text]
        if code == -signal.SIGKILL:
            means.append("killed, by the kernel for want of memory if by nobody else")
        ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        last = "\n".join(text.splitlines()[-8:])
        return "; ".join([f"ended with {ended}", *means]) + (f"\n{last}" if last else "")


def _step_of(context: StepHandlerContext) -> str:
    (key,) = context.execute_step_args.step_keys_to_execute or []
    return str(key)


def _command(context: StepHandlerContext) -> list[str]:
    """Dagster's own command for the step, with our interpreter: the venv may not be on PATH."""
    words = context.execute_step_args.get_command_args(skip_serialized_namedtuple=True)
    return [sys.executable, "-m", "dagster", *words[1:]]


def _has_ended(context: StepHandlerContext, key: str) -> bool:
    """Whether the event log has the end of the step: the executor reads it with a delay."""
    records = context.instance.get_records_for_run(
        context.dagster_run.run_id,
        of_type=ENDINGS | {DagsterEventType.STEP_WORKER_STARTING},
        ascending=False,
    ).records
    events = [record.event_log_entry.dagster_event for record in records]
    latest = next((event for event in events if event and event.step_key == key), None)
    return latest is not None and latest.event_type != DagsterEventType.STEP_WORKER_STARTING


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


@dg.executor(
    name="gpu",
    config_schema={
        "max_concurrent": dg.Field(int, is_required=False, default_value=2),
        "grace_s": dg.Field(float, is_required=False, default_value=60.0),
        "health_interval_s": dg.Field(int, is_required=False, default_value=5),
        "lease_folder": dg.Field(str, is_required=False, default_value=""),
        "retries": get_retries_config(),  # type: ignore[no-untyped-call]
    },
    requirements=multiple_process_executor_requirements(),
)
def gpu_executor(init_context: dg.InitExecutorContext) -> StepDelegatingExecutor:
    """Steps as processes of this machine; see `ProcessStepHandler` and `lease`."""
    config: dict[str, Any] = dict(init_context.executor_config)
    home = Path(init_context.instance.root_directory)
    slots: int = config["max_concurrent"]
    return StepDelegatingExecutor(
        ProcessStepHandler(
            lease_folder=Path(config["lease_folder"] or home / "leases"),
            log_folder=home / "steps",
            grace_s=config["grace_s"],
            slots=slots,
        ),
        retries=RetryMode.from_config(config["retries"]) or RetryMode.ENABLED,
        max_concurrent=slots,
        sleep_seconds=0.3,
        check_step_health_interval_seconds=config["health_interval_s"],
        should_verify_step=True,
    )
