"""Many questions about one image in one row: the image is shared, the turns do not see each other.

The image stands before the question in LLaVA's frame, so its keys and values are the same for every
question (protocols/model#one-row). A block mask makes each turn equal to a row of its own at a
fraction of the cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geomag.model.packed import IGNORE, Packed
from geomag.model.vlm import Vlm


@dataclass(frozen=True, slots=True)
class PackedQuestion:
    """One question about an image and its answer, as token ids."""

    question: Sequence[int]
    """What follows the image in the framed prompt."""
    answer: Sequence[int]
    """Ends with the end token in training."""


class QuestionIds:
    """Prompts and answers to ids, each text tokenized once."""

    def __init__(self, vlm: Vlm) -> None:
        self._vlm = vlm
        self._questions: dict[str, list[int]] = {}
        self._answers: dict[str, list[int]] = {}
        empty = vlm.prompt_ids("")
        self.head = empty[: empty.index(vlm.image_id)]
        """What stands before the image in every framed prompt."""

    def question(self, prompt: str, answer: str) -> PackedQuestion:
        """A prompt, unframed, and its answer with the end token."""
        if prompt not in self._questions:
            ids = self._vlm.prompt_ids(prompt)
            self._questions[prompt] = ids[ids.index(self._vlm.image_id) + 1 :]
        if answer not in self._answers:
            end = int(self._vlm.tokenizer.eos_token_id)
            self._answers[answer] = [*self._vlm.ids(answer), end]
        return PackedQuestion(self._questions[prompt], self._answers[answer])


@dataclass(frozen=True, slots=True)
class PackedQuestions:
    """Rows of shared images with their turns, padded on the right."""

    packed: Packed
    last_prompt: Tensor
    """``[T, 2]``: (row, column) of each turn's last prompt position, in order of the input."""


def pack_questions(
    vlm: Vlm,
    head: Sequence[int],
    visual: Sequence[Tensor],
    questions: Sequence[Sequence[PackedQuestion]],
) -> PackedQuestions:
    """Merge ``head``, the image's tokens and all its turns into one row per image.

    Args:
        vlm: Gives the embedding table.
        head: Ids before the image, the same in every row.
        visual: Per row ``[n_i, D]``.
        questions: Per row, its questions and answers.
    """
    device = vlm.device
    lengths = [
        len(head) + len(v) + sum(len(t.question) + len(t.answer) for t in row)
        for v, row in zip(visual, questions, strict=True)
    ]
    rows = _Rows(len(lengths), max(lengths))
    last: list[tuple[int, int]] = []
    for number, (tokens, asked) in enumerate(zip(visual, questions, strict=True)):
        last += [(number, column) for column in rows.fill(number, head, len(tokens), asked)]
    columns = rows.columns.to(device)
    embeds = vlm.llava.get_input_embeddings()(rows.ids.to(device))
    embeds = embeds.masked_scatter(columns[..., None], torch.cat(list(visual)).to(embeds.dtype))
    packed = Packed(
        embeds,
        _mask_of(rows.block).to(device),
        rows.positions.to(device),
        columns,
        rows.labels.to(device),
    )
    return PackedQuestions(packed, torch.tensor(last, device=device))


class _Rows:
    """Tables ``[B, S]`` of a batch of rows, which are filled one after another."""

    def __init__(self, n_rows: int, size: int) -> None:
        self.ids = torch.zeros(n_rows, size, dtype=torch.long)
        self.block = torch.full((n_rows, size), -1, dtype=torch.long)
        """0: shared by all turns, 1 and up: a turn, -1: padding."""
        self.positions = torch.zeros(n_rows, size, dtype=torch.long)
        self.labels = torch.full((n_rows, size), IGNORE, dtype=torch.long)
        self.columns = torch.zeros(n_rows, size, dtype=torch.bool)
        """Where the image's tokens stand."""

    def fill(
        self, row: int, head: Sequence[int], n_visual: int, questions: Sequence[PackedQuestion]
    ) -> list[int]:
        """Lay head, image and turns into a row; returns the columns of the last prompt tokens."""
        shared = len(head) + n_visual
        self.ids[row, : len(head)] = torch.tensor(head)
        self.columns[row, len(head) : shared] = True
        self.block[row, :shared] = 0
        self.positions[row, :shared] = torch.arange(shared)
        last, at = [], shared
        for number, one in enumerate(questions, start=1):
            text = [*one.question, *one.answer]
            answer, end = at + len(one.question), at + len(text)
            self.ids[row, at:end] = torch.tensor(text)
            self.block[row, at:end] = number
            self.positions[row, at:end] = torch.arange(shared, shared + len(text))
            self.labels[row, answer:end] = torch.tensor(list(one.answer))
            last.append(answer - 1)
            at = end
        return last


def _mask_of(block: Tensor) -> Tensor:
    """The mask that a batch needs: with one turn a row, causality says it all.

    What stands right of a row's last position is seen by nothing before it, so padding needs no
    mask either, and kernels that take none (flash attention) can run.
    """
    return _may_look(block) if int(block.max()) > 1 else torch.ones_like(block)


def _may_look(block: Tensor) -> Tensor:
    """``[B, 1, S, S]``: causal, within the shared part and the own turn; padding sees itself."""
    size = block.shape[1]
    causal = torch.ones(size, size, dtype=torch.bool).tril()
    same = block[:, :, None] == block[:, None, :]
    shared = (block[:, None, :] == 0) & (block[:, :, None] > 0)
    return ((same | shared) & causal)[:, None]
