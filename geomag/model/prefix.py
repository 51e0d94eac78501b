"""Many questions about one image, asked of the model at once: the image is read a single time.

The image stands before the question in LLaVA's frame, so its keys and values are the same for every
question (protocols/model#one-row). They are computed once an image and handed to each question's
row; generation and the Eq 4 probe go on from there. `geomag.model.packing` is the same for
training, where all answers are known.
"""

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from geomag.model.packed import IGNORE, Packed
from geomag.model.vlm import Vlm


def distinct(keys: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    """Which items differ, and which of these each item is.

    Returns:
        Index of the first item of each kind, and for every item the number of its kind.

    >>> distinct(["a", "b", "a"])
    ([0, 1], [0, 1, 0])
    """
    numbers: dict[Hashable, int] = {}
    owners = [numbers.setdefault(key, len(numbers)) for key in keys]
    return [owners.index(number) for number in range(len(numbers))], owners


@torch.no_grad()
def pack_shared(
    vlm: Vlm, prompts: Sequence[Sequence[int]], visual: Sequence[Tensor], owners: Sequence[int]
) -> Packed:
    """Prompts of fewer images than rows, each image read once.

    Args:
        vlm: Its language model reads the images; adapters count as they are set now.
        prompts: Ids with one image placeholder each; what stands before it must be one text.
        visual: Per image ``[n_i, D]``; lengths may differ.
        owners: Per prompt, the number of its image.

    Returns:
        What `Vlm.pack` gives, with the images and what stands before them in ``past``; where no
        image is shared, exactly that.

    Raises:
        ValueError: If the prompts begin differently.
    """
    if len(visual) == len(prompts):
        return vlm.pack(prompts, [visual[owner] for owner in owners])
    heads = {tuple(prompt[: list(prompt).index(vlm.image_id)]) for prompt in prompts}
    if len(heads) != 1:
        raise ValueError(f"{len(heads)} different texts stand before the images")
    (head,) = heads
    images = vlm.pack([[*head, vlm.image_id]] * len(visual), visual)
    read = vlm.language_model(
        inputs_embeds=images.embeds,
        attention_mask=images.mask,
        position_ids=images.positions,
        use_cache=True,
    )
    of_row = torch.tensor(owners, device=vlm.device)
    past = [(layer.keys[of_row], layer.values[of_row]) for layer in read.cache.layers]
    return _questions(vlm, [prompt[len(head) + 1 :] for prompt in prompts], images, of_row, past)


def _questions(
    vlm: Vlm,
    questions: Sequence[Sequence[int]],
    images: Packed,
    of_row: Tensor,
    past: list[tuple[Tensor, Tensor]],
) -> Packed:
    """What follows the images, padded on the left, with masks that count the images too."""
    size = max(map(len, questions))
    ids = torch.zeros(len(questions), size, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, question in enumerate(questions):
        ids[row, size - len(question) :] = torch.tensor(list(question))
        mask[row, size - len(question) :] = 1
    ids, mask = ids.to(vlm.device), mask.to(vlm.device)
    mask = torch.cat([images.mask[of_row], mask], dim=1)
    columns = torch.cat(
        [images.image_columns[of_row], torch.zeros_like(ids, dtype=torch.bool)], dim=1
    )
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -size:]
    embeds = vlm.llava.get_input_embeddings()(ids)
    labels = torch.full_like(ids, IGNORE)
    return Packed(embeds, mask, positions, columns, labels, past)
