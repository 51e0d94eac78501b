"""Micro-batches of an update side by side in forked processes, to the bits of one after another.

A tiny model's operations are too short for several threads; two processes with a micro-batch each
use two cores nearly fully. Each gradient is computed whole by one process and they are added in
the order of the micro-batches, so the weights do not depend on the number of processes.
"""

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch
from torch import Tensor

Losses = Callable[[int, int], dict[str, Tensor]]
"""(update, index of the micro-batch) to its named losses; ``total`` is what is minimised."""
Values = dict[str, float]


def processes_for(n_micro: int, device: torch.device) -> int:
    """How many are of use here: on a CPU, the cores that the threads of one process leave idle."""
    if device.type != "cpu" or sys.platform != "linux":
        return 1
    idle = len(os.sched_getaffinity(0)) // int(torch.get_num_threads())
    return max(1, min(n_micro, idle))


@contextmanager
def gradients(
    losses: Losses, parameters: Sequence[Tensor], *, n_micro: int, processes: int
) -> Iterator[Callable[[int], Values]]:
    """Give a function of an update that leaves the mean gradient in ``.grad`` and returns losses.

    Args:
        losses: A function of its arguments and the parameters alone.
        parameters: Put into shared memory where there are helpers; to be changed in place only.
        n_micro: Micro-batches of an update.
        processes: This one and its helpers; at most ``n_micro`` are used.
    """
    n_helpers = min(processes, n_micro) - 1
    if n_helpers < 1:
        yield lambda update: _one_after_another(losses, update, n_micro)
        return
    helpers = _start(losses, parameters, n_micro, n_helpers)
    try:
        yield lambda update: _side_by_side(losses, parameters, helpers, update, n_micro)
    finally:
        for helper in helpers:
            helper.pipe.close()  # a helper ends when its pipe does
        for helper in helpers:
            helper.process.join(timeout=60)
            helper.process.kill()


@dataclass(frozen=True, slots=True)
class _Helper:
    process: BaseProcess
    pipe: Connection
    indices: range
    """The micro-batches it computes."""
    grads: list[list[Tensor]]
    """Shared: for each of them, the gradients of all parameters."""


def _start(
    losses: Losses, parameters: Sequence[Tensor], n_micro: int, n_helpers: int
) -> list[_Helper]:
    context = multiprocessing.get_context("fork")  # what the samples hold is not copied
    for parameter in parameters:
        parameter.share_memory_()
    helpers: list[_Helper] = []
    for number in range(1, n_helpers + 1):
        ours, theirs = context.Pipe()
        indices = range(number, n_micro, n_helpers + 1)
        grads = [[torch.zeros_like(p).share_memory_() for p in parameters] for _ in indices]
        inherited = [ours, *(helper.pipe for helper in helpers)]
        process = context.Process(
            target=_help,
            args=(losses, parameters, indices, grads, theirs, inherited, n_micro),
            daemon=True,
        )
        process.start()
        theirs.close()
        helpers.append(_Helper(process, ours, indices, grads))
    return helpers


def _help(  # noqa: PLR0913 - the arguments of a process
    losses: Losses,
    parameters: Sequence[Tensor],
    indices: range,
    grads: list[list[Tensor]],
    pipe: Connection,
    inherited: Sequence[Connection],
    n_micro: int,
) -> None:
    """A helper's life: an update's number in, losses and which gradients there are out."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the trainer is told, and tells us
        signal.signal(number, signal.SIG_IGN)
    for end in inherited:  # else the pipes would stay open when the trainer is killed
        end.close()
    while True:
        try:
            update = pipe.recv()
        except EOFError:
            return
        try:
            said = [
                _micro(losses, parameters, update, index, n_micro, into)
                for index, into in zip(indices, grads, strict=True)
            ]
        except Exception:
            pipe.send(traceback.format_exc())
            return
        pipe.send(said)


def _micro(
    losses: Losses,
    parameters: Sequence[Tensor],
    update: int,
    index: int,
    n_micro: int,
    into: list[Tensor],
) -> tuple[Values, list[bool]]:
    for parameter in parameters:
        parameter.grad = None
    values = _backward(losses, update, index, n_micro)
    for parameter, place in zip(parameters, into, strict=True):
        if parameter.grad is not None:
            place.copy_(parameter.grad)
    return values, [parameter.grad is not None for parameter in parameters]


def _side_by_side(
    losses: Losses,
    parameters: Sequence[Tensor],
    helpers: Sequence[_Helper],
    update: int,
    n_micro: int,
) -> Values:
    for helper in helpers:
        helper.pipe.send(update)
    step = len(helpers) + 1
    own = {}
    for index in range(0, n_micro, step):
        values = _backward(losses, update, index, n_micro)
        own[index] = values, [parameter.grad for parameter in parameters]
        for parameter in parameters:
            parameter.grad = None
    found: dict[int, tuple[Values, list[Tensor | None]]] = dict(own)
    for helper in helpers:
        heard = zip(helper.indices, helper.grads, _heard(helper), strict=True)
        for index, grads, (values, there) in heard:
            pairs = zip(grads, there, strict=True)
            found[index] = values, [grad if is_there else None for grad, is_there in pairs]
    total: Values = {}
    for index in range(n_micro):
        values, of_all = found[index]
        _add(total, values)
        for parameter, grad in zip(parameters, of_all, strict=True):
            if grad is not None:
                parameter.grad = grad.clone() if parameter.grad is None else parameter.grad + grad
    return total


def _heard(helper: _Helper) -> list[tuple[Values, list[bool]]]:
    """What a helper says of its micro-batches.

    Raises:
        RuntimeError: If it failed, or is gone.
    """
    wait([helper.pipe, helper.process.sentinel])
    try:
        said = helper.pipe.recv()
    except (EOFError, ConnectionResetError):
        helper.process.join()
        raise RuntimeError(
            f"a training process ended with exit code {helper.process.exitcode}; "
            "run again to resume from the last checkpoint"
        ) from None
    if isinstance(said, str):
        raise RuntimeError(f"a training process failed:\n{said}")
    return list(said)


def _one_after_another(losses: Losses, update: int, n_micro: int) -> Values:
    total: Values = {}
    for index in range(n_micro):
        _add(total, _backward(losses, update, index, n_micro))
    return total


def _backward(losses: Losses, update: int, index: int, n_micro: int) -> Values:
    found = losses(update, index)
    (found["total"] / n_micro).backward()  # type: ignore[no-untyped-call]
    return {name: float(value.detach()) / n_micro for name, value in found.items()}


def _add(total: Values, values: Values) -> None:
    for name, value in values.items():
        total[name] = total.get(name, 0.0) + value
