"""The card, the versions, and the memory bandwidth that bounds every decoded token."""

import os
import platform

import torch

from geomag.bench.gpu.clock import fastest
from geomag.bench.gpu.sections import Figures

COPIED_BYTES = 4 << 30


def measure_environment(figures: Figures, device: torch.device) -> None:
    """Names and versions of what was measured, and the bandwidth of a copy within the device."""
    import peft
    import transformers

    figures["python"] = platform.python_version()
    figures["torch"] = torch.__version__
    figures["transformers"] = transformers.__version__
    figures["peft"] = peft.__version__
    figures["cpu_cores"] = len(os.sched_getaffinity(0))
    figures["card"] = "cpu"
    if device.type == "cuda":
        facts = torch.cuda.get_device_properties(device)
        figures["card"] = facts.name
        figures["memory_gb"] = facts.total_memory / 1e9
        figures["cuda"] = torch.version.cuda
    figures["copy_bandwidth_gb_s"] = copy_bandwidth(device) / 1e9


def copy_bandwidth(device: torch.device) -> float:
    """Bytes a second that a copy within the device reads and writes, together."""
    size = COPIED_BYTES if device.type == "cuda" else COPIED_BYTES >> 8
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size / fastest(lambda: target.copy_(source), device, repeats=5, warmups=2)
