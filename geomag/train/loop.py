"""The one training loop: batch, losses, backward, step, log, save.

Everything random in an update depends on (seed, update) alone, so a run that was stopped at any
update continues to the same bits.
"""

import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from geomag.progress import track
from geomag.seeds import seed_of
from geomag.train.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from geomag.train.side_by_side import gradients

MAX_BAD_UPDATES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """Optimisation of one job (protocols/model#training)."""

    steps: int
    batch: int
    micro_batch: int
    lr: float
    warmup: int
    schedule: Literal["linear", "cosine"] = "linear"
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    clip: float = 1.0
    seed: int = 0
    save_every: int = 200
    log_every: int = 20
    processes: int = 1
    """Processes that compute micro-batches side by side; the weights are the same for any
    number."""


class Job(Protocol):
    """What a training needs to know about its module and records."""

    def parameters(self) -> dict[str, Tensor]:
        """Trainable tensors by name, in a fixed order."""
        ...

    def batch(self, update: int, size: int) -> Sequence[Any]:
        """The samples of an update, a function of the update's number alone."""
        ...

    def losses(self, samples: Sequence[Any], update: Sequence[Any]) -> dict[str, Tensor]:
        """What some samples of an update add to its named losses; ``total`` is minimised.

        The parts of an update add up to the losses of the whole, so what is minimised does not
        depend on how it is cut into micro-batches.
        """
        ...


def part_of(
    losses: dict[str, Tensor], samples: Sequence[Any], update: Sequence[Any]
) -> dict[str, Tensor]:
    """Means over ``samples`` that weigh alike, as their part of the means over the update.

    >>> part_of({"total": torch.tensor(3.0)}, ["a"], ["a", "b"])
    {'total': tensor(1.5000)}
    """
    return {name: value * (len(samples) / len(update)) for name, value in losses.items()}


class Stopped(Exception):  # noqa: N818 - not an error: the state is saved
    """A signal asked to stop; the checkpoint is written and the next run resumes."""


def learning_rate(settings: LoopSettings, update: int) -> float:
    """Rate of an update: linear warm-up, then linear or cosine decay to 0.

    >>> s = LoopSettings(steps=10, batch=1, micro_batch=1, lr=1.0, warmup=2)
    >>> [round(learning_rate(s, u), 3) for u in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.125]
    """
    if update < settings.warmup:
        return settings.lr * (update + 1) / settings.warmup
    left = (settings.steps - update) / max(1, settings.steps - settings.warmup)
    if settings.schedule == "cosine":
        return settings.lr * 0.5 * (1 - math.cos(left * math.pi))
    return settings.lr * left


def train(
    job: Job,
    settings: LoopSettings,
    *,
    checkpoints: Path,
    identity: Mapping[str, str],
    log: Callable[[int, dict[str, float]], None],
    what: str = "train",
) -> None:
    """Train to ``settings.steps`` updates, from the newest checkpoint if there is one.

    Args:
        job: Module, records and losses.
        settings: Optimisation.
        checkpoints: Folder of resumable state.
        identity: Digests that a checkpoint must share to be resumed.
        log: Called with (updates done, means since the last call) every ``log_every`` updates.
        what: Words for this job where its progress is shown.

    Raises:
        Stopped: After SIGTERM or SIGINT, once the state is saved.
        FloatingPointError: When the loss stays non-finite; the last good state is kept.
    """
    state = _State(job.parameters(), settings, checkpoints, identity)
    start = state.restore()
    meter, shown = _Meter(settings.steps, start), track(what, settings.steps, done=start)
    side_by_side = gradients(
        _losses_of(job, settings),
        list(state.parameters.values()),
        n_micro=settings.batch // settings.micro_batch,
        processes=settings.processes,
    )
    with _stop_signals() as stop, side_by_side as backward, shown as progress:
        for update in range(start, settings.steps):
            state.set_rate(learning_rate(settings, update))
            meter.add(backward(update))
            state.step(update)
            done = update + 1
            progress.to(done)
            if done % settings.log_every == 0 or done == settings.steps:
                means = meter.read(done)
                log(done, means)
                progress.to(done, facts_of(means))
            if stop():
                state.save(done)
                raise Stopped(
                    f"stopped after update {done} of {settings.steps}; run again to resume"
                )
            if done % settings.save_every == 0 or done == settings.steps:
                state.save(done)


def facts_of(means: Mapping[str, float]) -> str:
    """The means of a stretch of updates in words, the loss that is minimised first.

    >>> facts_of({"ce": 0.5, "total": 1.25, "updates_per_s": 2.0, "seconds_left": 9.0})
    'loss 1.25, ce 0.5, 2 updates/s'
    """
    losses = {k: v for k, v in means.items() if k not in ("updates_per_s", "seconds_left")}
    total = losses.pop("total", math.nan)
    parts = [f"loss {total:.3g}", *(f"{name} {value:.3g}" for name, value in losses.items())]
    return ", ".join([*parts, f"{means['updates_per_s']:.2g} updates/s"])


class _State:
    """What training changes and a checkpoint holds: trainable tensors and AdamW's averages."""

    def __init__(
        self,
        parameters: dict[str, Tensor],
        settings: LoopSettings,
        checkpoints: Path,
        identity: Mapping[str, str],
    ) -> None:
        self.parameters = parameters
        self._optimizer = torch.optim.AdamW(
            list(parameters.values()),
            lr=settings.lr,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )
        self._clip, self._n_bad = settings.clip, 0
        self._checkpoints, self._identity = checkpoints, identity

    def set_rate(self, rate: float) -> None:
        """Take ``rate`` as the learning rate of the next step."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def step(self, update: int) -> None:
        """Apply the gradients of an update, clipped; leave them out where they are not finite.

        Raises:
            FloatingPointError: At the `MAX_BAD_UPDATES`-th such update in a row.
        """
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self._clip)
        self._n_bad = 0 if bool(torch.isfinite(norm)) else self._n_bad + 1
        if self._n_bad == 0:
            self._optimizer.step()
        elif self._n_bad >= MAX_BAD_UPDATES:
            raise FloatingPointError(
                f"the loss is not finite for {self._n_bad} updates (update {update}); "
                "lower train.lr; the last checkpoint is kept"
            )
        self._optimizer.zero_grad(set_to_none=True)

    def restore(self) -> int:
        """Load the newest checkpoint, if there is one; returns the updates that it has done."""
        newest = latest_checkpoint(self._checkpoints)
        if newest is None:
            return 0
        return load_checkpoint(
            newest,
            parameters=self.parameters,
            optimizer=self._optimizer,
            identity=self._identity,
        )

    def save(self, update: int) -> None:
        """Write a checkpoint of the state after ``update`` updates."""
        save_checkpoint(
            self._checkpoints,
            update=update,
            parameters=self.parameters,
            optimizer=self._optimizer,
            identity=self._identity,
        )


def _losses_of(job: Job, settings: LoopSettings) -> Callable[[int, int], dict[str, Tensor]]:
    """What a micro-batch adds to an update's losses, a function of (update, index) and weights."""
    size = settings.micro_batch

    def losses(update: int, index: int) -> dict[str, Tensor]:
        torch.manual_seed(seed_of(settings.seed, "update", update, index))
        samples = job.batch(update, settings.batch)
        return job.losses(samples[index * size :][:size], samples)

    return losses


class _Meter:
    """Means of losses since the last reading, with speed and time left."""

    def __init__(self, steps: int, start: int) -> None:
        self._steps = steps
        self._sums: dict[str, float] = {}
        self._count = 0
        self._since = time.monotonic()
        self._first, self._begun = start, self._since

    def add(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1

    def read(self, done: int) -> dict[str, float]:
        means = {name: total / self._count for name, total in self._sums.items()}
        now = time.monotonic()
        pace = (now - self._begun) / max(1, done - self._first)
        means["updates_per_s"] = self._count / max(1e-9, now - self._since)
        means["seconds_left"] = pace * (self._steps - done)
        self._sums, self._count, self._since = {}, 0, now
        return means


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Turn SIGTERM and SIGINT into a flag that is read between updates."""
    asked = False

    def handler(_signum: int, _frame: object) -> None:
        nonlocal asked
        asked = True

    try:
        before = {s: signal.signal(s, handler) for s in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:  # not the main thread: nobody sends us signals there
        yield lambda: False
        return
    try:
        yield lambda: asked
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
