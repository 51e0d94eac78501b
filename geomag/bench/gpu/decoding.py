"""One decoding step against the least it can take: reading every weight once."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

import torch

from geomag.bench.gpu.clock import fastest
from geomag.bench.gpu.environment import copy_bandwidth
from geomag.bench.gpu.random_model import Scale
from geomag.bench.gpu.sections import Figures
from geomag.model.footprint import weights_of
from geomag.model.geomag import GeoMag
from geomag.model.packed import Packed
from geomag.model.vlm import Vlm

PROMPT_TOKENS = 640
SHORT, LONG = 4, 20
"""Tokens of two answers, whose difference in time is that of the steps between."""


def measure_decoding(figures: Figures, model: GeoMag, scale: Scale) -> None:
    """Seconds of a step by batch: adapter beside the weights, and merged (a graph on a GPU)."""
    vlm = model.vlm
    bandwidth = copy_bandwidth(vlm.device)
    n_bytes = bytes_read(vlm)
    figures["weights_read_gb"] = n_bytes / 1e9
    figures["limit_step_s"] = n_bytes / bandwidth
    n_tokens = 32 if scale.small else PROMPT_TOKENS
    batches = (1, 2) if scale.small else (1, 8, 32)
    for adapter in ("beside", "merged"):
        with adapter_beside(vlm) if adapter == "beside" else nullcontext():
            for rows in batches:
                seconds = step_seconds(vlm, rows, n_tokens)
                name = f"adapter_{adapter}_batch_{rows}"
                figures[f"{name}_step_s"] = seconds
                figures[f"{name}_tokens_s"] = rows / seconds
                figures[f"{name}_share_of_limit"] = figures["limit_step_s"] / seconds


@contextmanager
def adapter_beside(vlm: Vlm) -> Iterator[None]:
    """The adapter beside the weights for a while, as training has it."""
    vlm.unmerge_adapter()
    try:
        yield
    finally:
        vlm.merge_adapter()


def bytes_read(vlm: Vlm) -> int:
    """Bytes of weights that a step needs: all of the language model but its table of words."""
    table = vlm.llava.get_input_embeddings()
    return weights_of(vlm.language_model) - weights_of(table) + weights_of(vlm.lm_head)


def step_seconds(vlm: Vlm, rows: int, n_tokens: int) -> float:
    """Seconds of one step of `Vlm.generate`, the prefill left out."""
    packed = random_prompts(vlm, rows, n_tokens)
    short, long = (
        fastest(partial(vlm.generate, packed, max_new_tokens=length), vlm.device, repeats=2)
        for length in (SHORT, LONG)
    )
    return (long - short) / (LONG - SHORT)


def random_prompts(vlm: Vlm, rows: int, n_tokens: int) -> Packed:
    """Embeddings of no text at all, which never end."""
    dtype = vlm.llava.get_input_embeddings().weight.dtype
    device = vlm.device
    ones = torch.ones(rows, n_tokens, dtype=torch.long, device=device)
    return Packed(
        torch.randn(rows, n_tokens, vlm.width, dtype=dtype, device=device),
        ones,
        ones.cumsum(1) - 1,
        ones.bool(),
        torch.full_like(ones, -100),
    )
