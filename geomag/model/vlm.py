"""The VLM: prompts and visual tokens in, hidden states and text out, on stock LLaVA modules.

Everything goes through input embeddings, so the number of visual tokens is free; batches are
padded on the left with the mask always given (model protocol 3.4).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, LlavaForConditionalGeneration, PreTrainedTokenizerBase

from geomag.data.prompts import IMAGE_TOKEN, frame

IGNORE = -100


@dataclass(frozen=True, slots=True)
class Packed:
    """A left-padded batch of merged embeddings."""

    embeds: Tensor
    """``[B, S, D]``."""
    mask: Tensor
    """``[B, P + S]``, 1 on real positions; or bool ``[B, 1, S, S]``, True where a row may look."""
    positions: Tensor
    """``[B, S]``, counted along each prompt."""
    image_columns: Tensor
    """``[B, P + S]`` bool: where the visual tokens stand."""
    labels: Tensor
    """``[B, S]``: answer ids at their own positions, -100 elsewhere."""
    past: Sequence[tuple[Tensor, Tensor]] | None = None
    """Per layer the keys and values ``[B, kv_heads, P, hd]`` of P positions that were read before
    (`geomag.model.prefix`); None: P = 0."""


@dataclass(frozen=True, slots=True)
class Generated:
    """Greedy answers and the states that predicted their tokens."""

    tokens: list[list[int]]
    """Per row, without the end token."""
    states: list[Tensor]
    """Per row ``[T, D]``: state t predicted token t (post-norm)."""
    log_probs: list[list[float]]
    """Per row, of its tokens."""


class Vlm(nn.Module):
    """LLaVA with its tokenizer; adapters are applied to it in place by `geomag.model.adapter`."""

    def __init__(
        self, llava: LlavaForConditionalGeneration, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        super().__init__()
        self.llava = llava
        self.tokenizer = tokenizer
        self.peft: Any = None
        image_id = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
        assert isinstance(image_id, int)
        self.image_id = image_id

    @property
    def language_model(self) -> nn.Module:
        """The decoder-only language model (LlamaModel)."""
        return self.llava.model.language_model  # type: ignore[no-any-return]

    @property
    def lm_head(self) -> nn.Module:
        """From hidden states ``[..., D]`` to logits ``[..., V]``."""
        return self.llava.lm_head  # type: ignore[no-any-return]

    def project(self, features: Tensor) -> Tensor:
        """The tower's features ``[..., C]`` to visual tokens ``[..., D]`` (LLaVA's projector)."""
        return self.llava.model.multi_modal_projector(features)  # type: ignore[no-any-return]

    @property
    def width(self) -> int:
        """Hidden width D of the language model."""
        return int(self.llava.config.text_config.hidden_size)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.llava.parameters()).device

    def base_weights(self) -> Any:
        """Context in which adapters are off, so the outputs are exactly the base model's."""
        return nullcontext() if self.peft is None else self.peft.disable_adapter()

    def checkpoint_activations(self, *, on: bool) -> None:
        """Compute each decoder layer again in a training's backward pass instead of keeping it.

        Args:
            on: False keeps what each layer computes, as a fresh model does.
        """
        if on:
            self.language_model.activation_checkpointing_enable({"use_reentrant": False})
        elif self.language_model.is_activation_checkpointing:
            self.language_model.activation_checkpointing_disable()

    def prompt_ids(self, prompt: str) -> list[int]:
        """Token ids of an unframed prompt as the checkpoint learned to read one.

        In LLaVA's frame, where ``<image>`` is one placeholder id, and begun with the tokenizer's
        own special tokens: ``<s>`` for a Llama, nothing for the tiny models.
        """
        return list(self.tokenizer.encode(frame(prompt), add_special_tokens=True))

    def ids(self, text: str) -> list[int]:
        """Token ids of an answer, or any text that begins no sequence."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def pack(
        self,
        prompts: Sequence[Sequence[int]],
        visual: Sequence[Tensor],
        answers: Sequence[Sequence[int]] | None = None,
    ) -> Packed:
        """Merge prompts, visual tokens and (in training) answers into one batch.

        Args:
            prompts: Ids with one image placeholder each.
            visual: Per row ``[n_i, D]``; lengths may differ.
            answers: Ids appended after the prompt, the end token included by the caller.

        Raises:
            ValueError: If a prompt does not hold exactly one image placeholder.
        """
        table = self.llava.get_input_embeddings()
        rows = []
        for index, prompt in enumerate(prompts):
            if list(prompt).count(self.image_id) != 1:
                raise ValueError(f"prompt {index} must hold exactly one {IMAGE_TOKEN}")
            answer = list(answers[index]) if answers is not None else []
            rows.append((list(prompt), answer, list(prompt).index(self.image_id)))
        lengths = [len(p) - 1 + len(a) + len(v) for (p, a, _), v in zip(rows, visual, strict=True)]
        size, device = max(lengths), self.device
        all_ids = torch.tensor([i for p, a, _ in rows for i in (*p, *a)], device=device)
        words = table(all_ids)
        embeds = words.new_zeros(len(rows), size, words.shape[-1])
        mask = torch.zeros(len(rows), size, dtype=torch.long, device=device)
        columns = torch.zeros(len(rows), size, dtype=torch.bool, device=device)
        labels = torch.full((len(rows), size), IGNORE, dtype=torch.long, device=device)
        offset = 0
        for row, ((prompt, answer, at), tokens, length) in enumerate(
            zip(rows, visual, lengths, strict=True)
        ):
            text = words[offset : offset + len(prompt) + len(answer)]
            offset += len(prompt) + len(answer)
            start = size - length
            merged = torch.cat([text[:at], tokens.to(text.dtype), text[at + 1 :]])
            embeds[row, start:] = merged
            mask[row, start:] = 1
            columns[row, start + at : start + at + len(tokens)] = True
            if answer:
                labels[row, size - len(answer) :] = torch.tensor(answer, device=device)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        return Packed(embeds, mask, positions, columns, labels)

    def states(self, packed: Packed) -> Tensor:
        """Post-norm hidden states ``[B, S, D]``."""
        out = self.language_model(
            inputs_embeds=packed.embeds,
            attention_mask=packed.mask,
            position_ids=packed.positions,
            use_cache=False,
        )
        return out.last_hidden_state  # type: ignore[no-any-return]

    @contextmanager
    def last_layer_input(self) -> Iterator[dict[str, Any]]:
        """Catch what enters the last decoder layer: ``x`` ``[B, S, D]`` and its rotary tables."""
        caught: dict[str, Any] = {}

        def hook(_module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> None:
            caught["x"] = args[0] if args else kwargs["hidden_states"]
            caught["position_embeddings"] = kwargs["position_embeddings"]

        handle = self.language_model.layers[-1].register_forward_pre_hook(hook, with_kwargs=True)
        try:
            yield caught
        finally:
            handle.remove()

    @torch.no_grad()
    def generate(self, packed: Packed, *, max_new_tokens: int) -> Generated:
        """Greedy decoding with a key-value cache; rows stop at their end token.

        A row's states are those that predicted its tokens, as teacher forcing would give them.
        Ended rows leave the batch once they are half of it, and nothing runs past the last token.
        """
        end = self.tokenizer.eos_token_id
        rows = list(range(len(packed.embeds)))  # of the batch, those still computed
        tokens: list[list[int]] = [[] for _ in rows]
        states: list[list[Tensor]] = [[] for _ in rows]
        log_probs: list[list[float]] = [[] for _ in rows]
        is_open = torch.ones(len(rows), dtype=torch.bool, device=self.device)
        mask, position = packed.mask, packed.positions[:, -1:]
        out = self.language_model(
            inputs_embeds=packed.embeds,
            attention_mask=mask,
            position_ids=packed.positions,
            cache=None if packed.past is None else DynamicCache(packed.past),
            use_cache=True,
        )
        for left in reversed(range(max_new_tokens)):
            last = out.last_hidden_state[:, -1]
            logits = self.lm_head(last).float()
            chosen = logits.argmax(-1)
            sure = logits.amax(-1) - logits.logsumexp(-1)
            is_open = is_open & (chosen != end)
            going = is_open.nonzero()[:, 0]
            for place in going.tolist():
                tokens[rows[place]].append(int(chosen[place]))
                states[rows[place]].append(last[place])
                log_probs[rows[place]].append(float(sure[place]))
            if left == 0 or len(going) == 0:
                break
            if 2 * len(going) <= len(rows):
                out.cache.batch_select_indices(going)
                rows = [rows[place] for place in going.tolist()]
                mask, position, chosen, is_open = (
                    t[going] for t in (mask, position, chosen, is_open)
                )
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            position = position + 1
            out = self.language_model(
                inputs_embeds=self.llava.get_input_embeddings()(chosen[:, None]),
                attention_mask=mask,
                position_ids=position,
                cache=out.cache,
                use_cache=True,
            )
        empty = packed.embeds.new_zeros(0, self.width)
        return Generated(tokens, [torch.stack(s) if s else empty for s in states], log_probs)

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of generated ids, special tokens kept."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=False)).strip()
