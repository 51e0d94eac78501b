"""The VLM: prompts and visual tokens in, hidden states and text out, on stock LLaVA modules.

Everything goes through input embeddings, so the number of visual tokens is free; batches are
padded on the left with the mask always given (protocols/model#traps).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerBase

from geomag.data.prompts import IMAGE_TOKEN
from geomag.model.decoding import Generated, greedy
from geomag.model.decoding_steps import KeptSteps
from geomag.model.merged import MergedAdapter
from geomag.model.packed import IGNORE, Packed
from geomag.model.tokenizer import prompt_ids


class Vlm(nn.Module):
    """LLaVA with its tokenizer; adapters are applied to it in place by `geomag.model.adapter`."""

    def __init__(
        self, llava: LlavaForConditionalGeneration, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        super().__init__()
        self.llava = llava
        self.tokenizer = tokenizer
        self.peft: Any = None
        self.merged: MergedAdapter | None = None
        self._kept = KeptSteps()
        image_id = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
        assert isinstance(image_id, int)
        self.image_id = image_id

    @property
    def language_model(self) -> nn.Module:
        """The decoder-only language model (LlamaModel)."""
        return self.llava.model.language_model  # type: ignore[no-any-return]

    @property
    def lm_head(self) -> nn.Module:
        """Turn hidden states ``[..., D]`` into logits ``[..., V]``."""
        return self.llava.lm_head  # type: ignore[no-any-return]

    def project(self, features: Tensor) -> Tensor:
        """The tower's features ``[..., C]`` to visual tokens ``[..., D]`` (LLaVA's projector)."""
        return self.llava.model.multi_modal_projector(features)  # type: ignore[no-any-return]

    @property
    def width(self) -> int:
        """Hidden width D of the language model."""
        return int(self.llava.config.text_config.hidden_size)

    @property
    def image_px(self) -> int:
        """Side of the square that the vision tower was trained on."""
        return int(self.llava.config.vision_config.image_size)

    @property
    def patch_px(self) -> int:
        """Side of the square that one visual token sees."""
        return int(self.llava.config.vision_config.patch_size)

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.llava.parameters()).device

    def base_weights(self) -> Any:
        """Context in which adapters are off, so the outputs are exactly the base model's."""
        if self.merged is not None:
            return self.merged.base_weights()
        return nullcontext() if self.peft is None else self.peft.disable_adapter()

    def merge_adapter(self) -> None:
        """Merge the adapter into the weights, for inference; once is enough."""
        if self.merged is None and self.peft is not None:
            self.merged = MergedAdapter(self.llava)

    def unmerge_adapter(self) -> None:
        """Undo `merge_adapter`, for training."""
        if self.merged is not None:
            self.merged.undo()
            self.merged, self._kept = None, KeptSteps()

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
        """Token ids of an unframed prompt as the checkpoint learned to read one (`prompt_ids`)."""
        return prompt_ids(self.tokenizer, prompt)

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

    def answer_logits(self, states: Tensor, packed: Packed) -> Tensor:
        """Logits ``[A, V]`` of the answers' A tokens, in order; the head runs on no other position.

        Args:
            states: ``[B, S, D]``, post-norm.
            packed: Holds the labels.
        """
        return self.lm_head(states[:, :-1][packed.labels[:, 1:] != IGNORE])  # type: ignore[no-any-return]

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

    def generate(self, packed: Packed, *, max_new_tokens: int) -> Generated:
        """Greedy answers and the states that predicted their tokens."""
        steps = self._kept.steps_for(self, packed, max_new_tokens=max_new_tokens)
        return greedy(self, packed, steps, max_new_tokens=max_new_tokens)  # type: ignore[no-any-return]

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of generated ids, special tokens kept."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=False)).strip()
