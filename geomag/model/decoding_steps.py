"""Steps of a language model, a token a row: over a cache that grows, or one of fixed size on a GPU.

A step launches about a thousand kernels. On a GPU that takes longer than reading the weights, so
there the step is recorded once as a CUDA graph over memory of fixed size, and replayed for every
token of every later batch (docs/performance.md has what that gains).
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import DynamicCache, StaticCache

from geomag.model.packed import Packed

COLUMNS = 128
"""Sizes of fixed caches are multiples of it, so that batches of like length share one."""


class CausalModel(Protocol):
    """What decoding needs of a model; `geomag.model.vlm.Vlm` is one."""

    llava: Any
    """Holds the sizes, the table of words and the weights."""
    tokenizer: Any
    merged: Any
    """The adapter merged into the weights; None where it stands beside them, or there is none."""

    @property
    def language_model(self) -> Any:
        """Decoder without its head."""
        ...

    @property
    def lm_head(self) -> Any:
        """Turn hidden states ``[..., D]`` into logits ``[..., V]``."""
        ...

    @property
    def width(self) -> int:
        """Hidden width D."""
        ...

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        ...


class Steps(Protocol):
    """A language model that has read a batch and takes a token a row at a time."""

    def read(self, packed: Packed) -> Tensor:
        """Read the prompts; the last states ``[B, D]``."""
        ...

    def advance(self, embeds: Tensor) -> Tensor:
        """Read one more token a row, ``[B, 1, D]``; its states ``[B, D]``."""
        ...

    def keep(self, rows: Sequence[int]) -> bool:
        """Go on with these rows alone, if that is any faster; whether it was done."""
        ...


class GrowingSteps:
    """Steps over keys and values that grow by a position a token; ended rows can leave."""

    def __init__(self, vlm: CausalModel) -> None:
        self._vlm = vlm
        self._cache: DynamicCache
        self._mask: Tensor
        self._position: Tensor

    def read(self, packed: Packed) -> Tensor:
        """Read the prompts, after what ``packed.past`` holds."""
        self._cache, last = prefill(self._vlm, packed)
        self._mask, self._position = packed.mask, packed.positions[:, -1:]
        return last

    def advance(self, embeds: Tensor) -> Tensor:
        """Read one more token a row."""
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(embeds), 1)], dim=1)
        self._position = self._position + 1
        out = self._vlm.language_model(
            inputs_embeds=embeds,
            attention_mask=self._mask,
            position_ids=self._position,
            cache=self._cache,
            use_cache=True,
        )
        return out.last_hidden_state[:, -1]  # type: ignore[no-any-return]

    def keep(self, rows: Sequence[int]) -> bool:
        """Drop the other rows."""
        chosen = torch.tensor(rows, device=self._mask.device)
        self._cache.batch_select_indices(chosen)
        self._mask, self._position = self._mask[chosen], self._position[chosen]
        return True


class FixedSteps:
    """Steps of equal work on the same memory: what a CUDA graph can replay.

    Args:
        vlm: Its weights must stay where they are.
        rows: Largest batch; the rows beyond a batch are computed for nothing.
        columns: Longest prompt and answer together.
    """

    def __init__(self, vlm: CausalModel, *, rows: int, columns: int) -> None:
        table = vlm.llava.get_input_embeddings().weight
        options = {"dtype": table.dtype, "device": table.device}
        self.rows, self.columns = rows, columns
        self._vlm = vlm
        self._embeds = torch.zeros(rows, 1, vlm.width, **options)
        self._last = torch.zeros(rows, vlm.width, **options)
        self._positions = torch.zeros(rows, 1, dtype=torch.long, device=table.device)
        self._may_look = torch.zeros(rows, 1, 1, columns, dtype=torch.bool, device=table.device)
        self._cache = StaticCache(config=vlm.llava.config.text_config, max_cache_len=columns)
        self._at = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def read(self, packed: Packed) -> Tensor:
        """Read the prompts as `GrowingSteps` does, then copy their keys and values."""
        cache, last = prefill(self._vlm, packed)
        n_rows, size = packed.mask.shape
        self._make_room(cache)
        if self._graph is None and last.is_cuda:
            self._graph = self._recorded()
        for fixed, grown in zip(self._cache.layers, cache.layers, strict=True):
            fixed.keys[:n_rows, :, :size] = grown.keys
            fixed.values[:n_rows, :, :size] = grown.values
            fixed.cumulative_length.fill_(size)
        self._may_look.zero_()
        self._may_look[:, ..., 0] = True  # an unused row looks somewhere, so it stays finite
        self._may_look[:n_rows, 0, 0, :size] = packed.mask.bool()
        self._positions.zero_()
        self._positions[:n_rows] = packed.positions[:, -1:]
        self._at = size
        return last

    def advance(self, embeds: Tensor) -> Tensor:
        """Read one more token a row."""
        self._embeds[: len(embeds)] = embeds
        self._may_look[..., self._at] = True
        self._positions.add_(1)
        self._at += 1
        if self._graph is None:
            self._step()
        else:
            self._graph.replay()
        return self._last[: len(embeds)].clone()

    def keep(self, rows: Sequence[int]) -> bool:
        """Change nothing: a step reads all weights for any number of rows."""
        return False

    @torch.no_grad()
    def _step(self) -> None:
        out = self._vlm.language_model(
            inputs_embeds=self._embeds,
            attention_mask=self._may_look,
            position_ids=self._positions,
            cache=self._cache,
            use_cache=True,
        )
        self._last.copy_(out.last_hidden_state[:, -1])

    def _make_room(self, like: DynamicCache) -> None:
        for fixed, grown in zip(self._cache.layers, like.layers, strict=True):
            if not fixed.is_initialized:
                shape = (self.rows, grown.keys.shape[1], 1, grown.keys.shape[-1])
                fixed.lazy_initialization(grown.keys.new_empty(shape), grown.keys.new_empty(shape))

    def _recorded(self) -> torch.cuda.CUDAGraph:
        """The step as a graph; what its trial runs have written is overwritten by `read`."""
        self._may_look.fill_(True)
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):  # libraries take their memory outside the recording
            for _ in range(2):
                self._step()
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._step()
        return graph


def prefill(vlm: CausalModel, packed: Packed) -> tuple[DynamicCache, Tensor]:
    """Keys and values of the prompts, and the last states ``[B, D]``."""
    out = vlm.language_model(
        inputs_embeds=packed.embeds,
        attention_mask=packed.mask,
        position_ids=packed.positions,
        cache=None if packed.past is None else DynamicCache(packed.past),
        use_cache=True,
    )
    return out.cache, out.last_hidden_state[:, -1]


class KeptSteps:
    """The recorded steps of a model, which later batches of like size use again."""

    MOST = 2
    """Recordings kept at once: one of short answers and one of conversations."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int, int], FixedSteps] = {}

    def steps_for(self, vlm: CausalModel, packed: Packed, *, max_new_tokens: int) -> Steps:
        """Steps for a batch: recorded ones on a GPU with its adapter merged, if they fit.

        Weights that are trained, or moved, would leave a recording behind.
        """
        if vlm.device.type != "cuda" or vlm.merged is None:
            return GrowingSteps(vlm)
        rows = 1 << (len(packed.embeds) - 1).bit_length()
        columns = -(-(packed.mask.shape[1] + max_new_tokens) // COLUMNS) * COLUMNS
        model = vlm.language_model
        weights = hash(tuple(t.data_ptr() for t in (*model.parameters(), *model.buffers())))
        key = (rows, columns, weights)
        if key in self._kept:
            self._kept[key] = self._kept.pop(key)  # the newest stands last
            return self._kept[key]
        while len(self._kept) >= self.MOST:
            self._kept.pop(next(iter(self._kept)))
        if not _fits(vlm, rows=rows, columns=columns):
            self._kept.clear()
            torch.cuda.empty_cache()
            if not _fits(vlm, rows=rows, columns=columns):
                return GrowingSteps(vlm)
        self._kept[key] = FixedSteps(vlm, rows=rows, columns=columns)
        return self._kept[key]


def cache_bytes(vlm: CausalModel, *, rows: int, columns: int) -> int:
    """Bytes of the keys and values of ``rows`` times ``columns`` positions."""
    text = vlm.llava.config.text_config
    heads = text.num_key_value_heads or text.num_attention_heads
    width = heads * (text.head_dim or text.hidden_size // text.num_attention_heads)
    element = vlm.llava.get_input_embeddings().weight.element_size()
    return int(2 * text.num_hidden_layers * width * rows * columns * element)


def _fits(vlm: CausalModel, *, rows: int, columns: int) -> bool:
    """Whether the fixed cache fits beside the growing one that it is filled from."""
    free, _ = torch.cuda.mem_get_info(vlm.device)
    unused = torch.cuda.memory_reserved(vlm.device) - torch.cuda.memory_allocated(vlm.device)
    return bool(3 * cache_bytes(vlm, rows=rows, columns=columns) < free + unused)
