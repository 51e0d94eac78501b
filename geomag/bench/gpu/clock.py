"""Seconds and peak memory of work that runs on a device of its own clock."""

import time
from collections.abc import Callable

import torch


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def fastest(
    run: Callable[[], object], device: torch.device, *, repeats: int, warmups: int = 1
) -> float:
    """Seconds of the fastest of ``repeats`` runs after ``warmups`` others."""
    seconds = []
    for number in range(warmups + repeats):
        synchronize(device)
        begun = time.perf_counter()
        run()
        synchronize(device)
        if number >= warmups:
            seconds.append(time.perf_counter() - begun)
    return min(seconds)


def peak_memory(run: Callable[[], object], device: torch.device) -> tuple[int, int]:
    """Bytes allocated on the device at their highest while ``run`` runs, and before; 0 on a CPU."""
    if device.type != "cuda":
        run()
        return 0, 0
    synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = int(torch.cuda.memory_allocated(device))
    run()
    synchronize(device)
    return int(torch.cuda.max_memory_allocated(device)), before
