"""Work side by side in forked processes, to the bits of one after another.

A tiny model's operations are too short for several threads; two processes with a micro-batch each
use two cores nearly fully. Each gradient is computed whole by one process and they are added in
the order of the micro-batches, so the weights do not depend on the number of processes.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import torch
from torch import Tensor

from geomag.errors import GeoMagError

T = TypeVar("T")
R = TypeVar("R")
Losses = Callable[[int, int], dict[str, Tensor]]
"""(update, index of the micro-batch) to its part of each named loss; ``total`` is minimised."""
Values = dict[str, float]
_Part = tuple[Values, list[Tensor | None]]
"""Result of a micro-batch: its losses, and the gradient of each parameter that has one."""


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
    """Give a function of an update that leaves its gradient in ``.grad`` and returns its losses.

    Args:
        losses: A function of its arguments and the parameters alone; the micro-batches add up.
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
        _end([helper.forked for helper in helpers])


def forked_map(work: Callable[[T], R], items: Sequence[T], *, processes: int) -> Iterator[R]:
    """``map(work, items)``, every process taking turns; results are pickled through pipes.

    Args:
        work: A function of its argument and of what is there already: nothing is sent.
        items: In the order wanted.
        processes: Of which this one is none, unless it is the only one.

    Raises:
        GeoMagError: As ``work`` did.
        RuntimeError: If it raised anything else, or a process is gone.
    """
    n = min(processes, len(items))
    if n <= 1:
        yield from map(work, items)
        return
    forked: list[_Forked] = []
    for number in range(n):
        forked.append(_fork(forked, partial(_answer_all, work, items[number::n])))
    try:
        for index in range(len(items)):
            yield pickle.loads(_heard(forked[index % n]))  # noqa: S301 - our own fork made it
    finally:
        _end(forked)


def _answer_all(work: Callable[[T], R], items: Sequence[T], pipe: Connection) -> None:
    for item in items:
        # plain bytes: torch would send a file descriptor for every tensor
        pipe.send(pickle.dumps(work(item), protocol=pickle.HIGHEST_PROTOCOL))


@dataclass(frozen=True, slots=True)
class _Forked:
    process: BaseProcess
    pipe: Connection


def _fork(others: Sequence[_Forked], life: Callable[[Connection], None]) -> _Forked:
    """A process that lives ``life`` with the other end of a pipe, and ends with the pipe."""
    context = multiprocessing.get_context("fork")  # what is in memory is not copied
    ours, theirs = context.Pipe()
    inherited = [ours, *(other.pipe for other in others)]
    process = context.Process(target=_live, args=(life, theirs, inherited), daemon=True)
    process.start()
    theirs.close()
    return _Forked(process, ours)


def _live(
    life: Callable[[Connection], None], pipe: Connection, inherited: Sequence[Connection]
) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent is told, and tells us
        signal.signal(number, signal.SIG_IGN)
    for end in inherited:  # else the pipes would stay open when the parent is killed
        end.close()
    try:
        life(pipe)
    except (EOFError, BrokenPipeError):
        return
    except GeoMagError as wrong:
        pipe.send(wrong)
    except Exception:  # whatever it was: the parent raises it, with our stack in its message
        pipe.send(RuntimeError(f"a training process failed:\n{traceback.format_exc()}"))


def _end(forked: Sequence[_Forked]) -> None:
    for one in forked:
        one.pipe.close()
    for one in forked:
        one.process.join(timeout=60)
        one.process.kill()


@dataclass(frozen=True, slots=True)
class _Helper:
    forked: _Forked
    indices: range
    """The micro-batches it computes."""
    grads: list[list[Tensor]]
    """Shared memory: for each of them, the gradients of all parameters."""


def _start(
    losses: Losses, parameters: Sequence[Tensor], n_micro: int, n_helpers: int
) -> list[_Helper]:
    for parameter in parameters:
        parameter.share_memory_()
    helpers: list[_Helper] = []
    for number in range(1, n_helpers + 1):
        indices = range(number, n_micro, n_helpers + 1)
        grads = [[torch.zeros_like(p).share_memory_() for p in parameters] for _ in indices]
        help_out = partial(_help, losses, parameters, indices, grads)
        forked = _fork([helper.forked for helper in helpers], help_out)
        helpers.append(_Helper(forked, indices, grads))
    return helpers


def _help(
    losses: Losses,
    parameters: Sequence[Tensor],
    indices: range,
    grads: list[list[Tensor]],
    pipe: Connection,
) -> None:
    """A helper's life: an update's number in, losses and which gradients there are out."""
    while True:
        update = pipe.recv()
        said = [
            _micro(losses, parameters, update, index, into)
            for index, into in zip(indices, grads, strict=True)
        ]
        pipe.send(said)


def _micro(
    losses: Losses,
    parameters: Sequence[Tensor],
    update: int,
    index: int,
    into: list[Tensor],
) -> tuple[Values, list[bool]]:
    for parameter in parameters:
        parameter.grad = None
    values = _backward(losses, update, index)
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
        helper.forked.pipe.send(update)
    parts: dict[int, _Part] = {}
    for index in range(0, n_micro, len(helpers) + 1):
        values = _backward(losses, update, index)
        parts[index] = values, [parameter.grad for parameter in parameters]
        for parameter in parameters:
            parameter.grad = None
    for helper in helpers:
        parts.update(_parts_of(helper))
    return _summed([parts[index] for index in range(n_micro)], parameters)


def _parts_of(helper: _Helper) -> Iterator[tuple[int, _Part]]:
    heard = zip(helper.indices, helper.grads, _heard(helper.forked), strict=True)
    for index, grads, (values, there) in heard:
        pairs = zip(grads, there, strict=True)
        yield index, (values, [grad if is_there else None for grad, is_there in pairs])


def _summed(parts: Sequence[_Part], parameters: Sequence[Tensor]) -> Values:
    """Leave the sum of the gradients in ``.grad``, added in the order of the parts."""
    total: Values = {}
    for values, grads in parts:
        _add(total, values)
        for parameter, grad in zip(parameters, grads, strict=True):
            if grad is not None:
                parameter.grad = grad.clone() if parameter.grad is None else parameter.grad + grad
    return total


def _heard(forked: _Forked) -> Any:
    """The next that a process says.

    Raises:
        GeoMagError: As its work did.
        RuntimeError: If it failed, or is gone.
    """
    wait([forked.pipe, forked.process.sentinel])
    try:
        said = forked.pipe.recv()
    except (EOFError, ConnectionResetError):
        forked.process.join()
        raise RuntimeError(
            f"a training process ended with exit code {forked.process.exitcode}; "
            "run again to resume from the last checkpoint"
        ) from None
    if isinstance(said, Exception):
        raise said
    return said


def _one_after_another(losses: Losses, update: int, n_micro: int) -> Values:
    total: Values = {}
    for index in range(n_micro):
        _add(total, _backward(losses, update, index))
    return total


def _backward(losses: Losses, update: int, index: int) -> Values:
    found = losses(update, index)
    found["total"].backward()  # type: ignore[no-untyped-call]
    values = torch.stack([value.detach().float() for value in found.values()]).tolist()
    return dict(zip(found, values, strict=True))


def _add(total: Values, values: Values) -> None:
    for name, value in values.items():
        total[name] = total.get(name, 0.0) + value
