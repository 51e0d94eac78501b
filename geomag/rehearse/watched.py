"""A verb of the command line, watched from inside: seconds, memory, tokens read and written.

The verb runs as ``python -m geomag`` runs it; torch's global hooks see every forward pass of the
modules that the time goes to. `geomag rehearse` starts one process a verb:
``python -m geomag.rehearse.watched FIGURES.json VERB ...``.
"""

import resource
import runpy
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from geomag.io import write_json

LANGUAGE = ("LlamaModel", "Qwen2Model", "MistralModel")
ENCODER = ("ImageEncoder",)
TEXT = ("BertModel",)


@dataclass(slots=True)
class Part:
    """Forward passes of one kind."""

    calls: int = 0
    positions: int = 0
    """Tokens of all rows, or images."""
    seconds: float = 0.0


@dataclass(slots=True)
class Figures:
    """What a verb took."""

    seconds: float = 0.0
    set_up_s: float = 0.0
    """Seconds until the first forward pass (imports, digests, loading); all where there is none."""
    peak_host_bytes: int = 0
    """Most resident memory, files that are mapped included."""
    peak_gpu_bytes: int = 0
    parts: dict[str, Part] = field(default_factory=dict)
    """``read``: the language model over several positions at once; ``write``: over one;
    ``train``: in training mode; ``encode``: SAM2; ``text``: BERT."""

    @property
    def work_s(self) -> float:
        """Seconds from the first forward pass on."""
        return self.seconds - self.set_up_s


def run_watched(arguments: Sequence[str]) -> tuple[int, Figures]:
    """Run ``python -m geomag ARGUMENTS`` in this process; returns its exit code and figures."""
    figures, begun = Figures(), time.monotonic()
    code = 0
    with _watching(figures, begun), _arguments(["geomag", *arguments]):
        try:
            runpy.run_module("geomag", run_name="__main__", alter_sys=True)
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
    figures.seconds = time.monotonic() - begun
    figures.set_up_s = figures.set_up_s or figures.seconds
    kilo = 1 if sys.platform == "darwin" else 1024
    figures.peak_host_bytes = kilo * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures.peak_gpu_bytes = _gpu_peak()
    return code, figures


@contextmanager
def _watching(figures: Figures, begun: float) -> Iterator[None]:
    """Count forward passes while the block runs."""
    from torch.nn.modules import module as hooks

    started: dict[int, float] = {}

    def before(module: Any, _arguments: Any) -> None:
        if type(module).__name__ in (*LANGUAGE, *ENCODER, *TEXT):
            _wait()
            started[id(module)] = time.monotonic()
            figures.set_up_s = figures.set_up_s or started[id(module)] - begun

    def after(module: Any, _arguments: Any, out: Any) -> None:
        if id(module) not in started:
            return
        _wait()
        kind, positions = _kind(module, out)
        part = figures.parts.setdefault(kind, Part())
        part.calls += 1
        part.positions += positions
        part.seconds += time.monotonic() - started.pop(id(module))

    handles = [
        hooks.register_module_forward_pre_hook(before),
        hooks.register_module_forward_hook(after),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _kind(module: Any, out: Any) -> tuple[str, int]:
    """What a pass was, and over how many positions or images."""
    name = type(module).__name__
    if name in ENCODER:
        return "encode", int(out["backbone_fpn"][0].shape[0])
    rows, columns = out.last_hidden_state.shape[:2]
    if name in TEXT:
        return "text", int(rows * columns)
    kind = "train" if module.training else "read" if columns > 1 else "write"
    return kind, int(rows * columns)


def _wait() -> None:
    """Let a GPU finish, whose calls return before their work is done."""
    import torch

    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def _gpu_peak() -> int:
    import torch

    in_use = torch.cuda.is_available() and torch.cuda.is_initialized()
    return int(torch.cuda.max_memory_allocated()) if in_use else 0


@contextmanager
def _arguments(argv: list[str]) -> Iterator[None]:
    before, sys.argv = sys.argv, argv
    try:
        yield
    finally:
        sys.argv = before


def main() -> int:
    """Run the verb that the arguments name and write its figures; returns its exit code."""
    out, *arguments = sys.argv[1:]
    code, figures = run_watched(arguments)
    write_json(Path(out), asdict(figures))
    return code


if __name__ == "__main__":
    sys.exit(main())
