"""A decoding step on a cache of fixed size, replayed as one CUDA graph.

A step of `Vlm.generate` launches about a thousand kernels from Python; what it would take without
that says how much of its distance to the limit is the card's.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from transformers import StaticCache

from geomag.bench.gpu.clock import fastest
from geomag.bench.gpu.decoding import PROMPT_TOKENS, bytes_read, random_prompts
from geomag.bench.gpu.environment import copy_bandwidth
from geomag.bench.gpu.random_model import Scale
from geomag.bench.gpu.sections import Figures
from geomag.model.geomag import GeoMag
from geomag.model.vlm import Packed, Vlm

STEPS = 24
"""Timed together."""


class StaticDecoding:
    """Greedy decoding whose every step does the same work on the same memory."""

    @torch.no_grad()
    def __init__(self, vlm: Vlm, packed: Packed, *, new_tokens: int) -> None:
        """Read the prompts, which must not be padded; `token` is then the first of the answer."""
        rows, n_tokens = packed.embeds.shape[:2]
        device, size = vlm.device, n_tokens + new_tokens
        self._vlm = vlm
        self._columns = torch.arange(size, device=device)
        self._at = torch.tensor(n_tokens - 1, device=device)
        self._cache = StaticCache(config=vlm.llava.config.text_config, max_cache_len=size)
        causal = self._columns[None] <= self._columns[:n_tokens, None]
        self.token = torch.zeros(rows, 1, dtype=torch.long, device=device)
        self._read(packed.embeds, causal.expand(rows, 1, -1, -1), packed.positions)

    @torch.no_grad()
    def step(self) -> None:
        """Read `token` and put the next one in its place; nothing is waited for."""
        self._at.add_(1)
        rows = len(self.token)
        may_look = (self._columns <= self._at).expand(rows, 1, 1, -1)
        embeds = self._vlm.llava.get_input_embeddings()(self.token)
        self._read(embeds, may_look, self._at.expand(rows, 1))

    def _read(self, embeds: Tensor, may_look: Tensor, positions: Tensor) -> None:
        out = self._vlm.language_model(
            inputs_embeds=embeds,
            attention_mask=may_look,
            position_ids=positions,
            cache=self._cache,
            use_cache=True,
        )
        logits = self._vlm.lm_head(out.last_hidden_state[:, -1]).float()
        self.token.copy_(logits.argmax(-1, keepdim=True))


def as_graph(step: Callable[[], None]) -> Callable[[], None]:
    """``step`` as a function that replays its kernels."""
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):  # memory and libraries are set up outside the capture
        for _ in range(2):
            step()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return lambda: graph.replay()


def measure_graphs(figures: Figures, model: GeoMag, scale: Scale) -> None:
    """Seconds of a step and share of the limit by batch, the adapter merged."""
    vlm = model.vlm
    limit = bytes_read(vlm) / copy_bandwidth(vlm.device)
    n_tokens = 32 if scale.small else PROMPT_TOKENS
    vlm.peft.merge_adapter()
    try:
        for rows in (1, 2) if scale.small else (1, 8, 32):
            decoding = StaticDecoding(
                vlm, random_prompts(vlm, rows, n_tokens), new_tokens=2 * STEPS + 8
            )
            is_cuda = vlm.device.type == "cuda"
            step = as_graph(decoding.step) if is_cuda else decoding.step
            seconds = fastest(lambda s=step: [s() for _ in range(STEPS)], vlm.device, repeats=1)  # type: ignore[misc]
            figures[f"batch_{rows}_step_s"] = seconds / STEPS
            figures[f"batch_{rows}_tokens_s"] = rows * STEPS / seconds
            figures[f"batch_{rows}_share_of_limit"] = limit * STEPS / seconds
    finally:
        vlm.peft.unmerge_adapter()
