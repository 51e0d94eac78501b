"""What one Eq 4 probe costs against the obvious forms: seconds and peak memory.

Each measurement runs in a process of its own, so that no allocator keeps another's memory:
``python -m geomag.bench.probe '{"variant": "ours", ...}'`` prints one JSON object.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import LlamaConfig, LlamaModel

from geomag.bench.naive_probe import naive_backward, naive_gradients
from geomag.errors import ToolError
from geomag.magcrop.heatmap import ProbeInputs, heatmap

VARIANTS = ("prefill", "ours", "ours_middle", "naive_last", "naive_middle", "naive_backward")
VOCABULARY = 32_064


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeCase:
    """One measurement."""

    variant: str
    n_tokens: int
    """Sequence length: image tokens and 64 of text."""
    layers: int = 8
    width: int = 768
    heads: int = 12
    repeats: int = 3
    device: str = "cpu"
    dtype: str = "float32"

    @property
    def middle(self) -> int:
        """The layer that stands where 14 of 32 does in the reference code."""
        return self.layers * 14 // 32


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A randomly initialised Llama with its head: cost does not depend on weights."""

    language_model: nn.Module
    lm_head: nn.Module


def build(case: ProbeCase) -> tuple[LanguageModel, ProbeInputs]:
    """The model and one prompt of ``n_tokens``, all but 64 of them image tokens."""
    torch.manual_seed(0)
    dtype, device = getattr(torch, case.dtype), torch.device(case.device)
    config = LlamaConfig(
        hidden_size=case.width,
        intermediate_size=case.width * 43 // 16,  # LLaMA-7B's 11,008 of 4,096
        num_hidden_layers=case.layers,
        num_attention_heads=case.heads,
        num_key_value_heads=case.heads,
        vocab_size=VOCABULARY,
    )
    with device:
        language = LlamaModel(config).to(dtype).eval()
        head = nn.Linear(case.width, VOCABULARY, bias=False, dtype=dtype)
        embeds = torch.randn(1, case.n_tokens, case.width, dtype=dtype)
        columns = torch.arange(case.n_tokens)[None] < case.n_tokens - 64
    trains = case.variant == "naive_backward"
    language.requires_grad_(trains)
    head.requires_grad_(trains)
    return LanguageModel(language, head), ProbeInputs(embeds, columns)


def action(case: ProbeCase) -> Callable[[LanguageModel, ProbeInputs], object]:
    """What a variant does."""

    @torch.no_grad()
    def prefill(source: LanguageModel, inputs: ProbeInputs) -> object:
        out = source.language_model(inputs_embeds=inputs.embeds, use_cache=False)
        states = out.last_hidden_state
        return source.lm_head(states[:, -1])

    actions: dict[str, Callable[[LanguageModel, ProbeInputs], object]] = {
        "prefill": prefill,
        "ours": heatmap,
        "ours_middle": lambda source, inputs: heatmap(source, inputs, layer=case.middle),
        "naive_last": lambda source, inputs: naive_gradients(source, inputs, layer=-1),
        "naive_middle": lambda source, inputs: naive_gradients(source, inputs, layer=case.middle),
        "naive_backward": naive_backward,
    }
    return actions[case.variant]


def measure(case: ProbeCase) -> dict[str, Any]:
    """Least seconds of ``repeats`` runs; peak memory of the first beyond model and input."""
    source, inputs = build(case)
    run = action(case)
    before = _reset_peak(case.device)
    seconds, peak = [], 0
    for number in range(case.repeats):
        source.language_model.zero_grad(set_to_none=True)
        start = time.perf_counter()
        run(source, inputs)
        if case.device != "cpu":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
        if number == 0:
            peak = _peak(case.device) - before
    return {**asdict(case), "seconds": min(seconds), "peak_mb": max(peak, 0) / 1e6}


def _reset_peak(device: str) -> int:
    """Start a new high-water mark; returns the bytes in use now."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        return int(torch.cuda.memory_allocated())
    marker = Path("/proc/self/clear_refs")
    if marker.exists():
        marker.write_text("5")  # Linux: the peak resident size starts again
    return _peak(device)


def _peak(device: str) -> int:
    if device != "cpu":
        return int(torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def bench_probe(
    lengths: Sequence[int],
    variants: Sequence[str] = VARIANTS,
    *,
    log: Callable[[str], None] = lambda _: None,
    **sizes: Any,
) -> dict[str, Any]:
    """Every variant at every length, with ratios to ``naive_backward`` and to a plain prefill.

    Args:
        lengths: Sequence lengths S.
        variants: Of `VARIANTS`.
        log: Takes a line per measurement.
        **sizes: Other fields of `ProbeCase`.
    """
    rows = []
    for n_tokens in lengths:
        of_length = []
        for variant in variants:
            row = _in_child(ProbeCase(variant=variant, n_tokens=n_tokens, **sizes))
            log(f"S={n_tokens} {variant:<15} {row['seconds']:.3f} s  {row['peak_mb']:.0f} MB")
            of_length.append(row)
        by_name = {row["variant"]: row for row in of_length}
        for row in of_length:
            for other in ("prefill", "naive_backward"):
                if other in by_name:
                    row[f"seconds_to_{other}"] = row["seconds"] / by_name[other]["seconds"]
            if by_name.get("naive_backward", {}).get("peak_mb"):
                row["peak_to_naive_backward"] = (
                    row["peak_mb"] / by_name["naive_backward"]["peak_mb"]
                )
        rows += of_length
    return {"bench": "probe", "torch": torch.__version__, "rows": rows}


def _in_child(case: ProbeCase) -> dict[str, Any]:
    command = [sys.executable, "-m", "geomag.bench.probe", json.dumps(asdict(case))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ToolError(f"bench probe, {case.variant}", last, remedy="try a smaller size")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(ProbeCase(**json.loads(sys.argv[1])))) + "\n")
