"""Base training, between part 1 and 2: what a question names, read off the text alone.

Stands in for Vicuna's own training in the sample profile.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geomag.model.vision import visual_tokens
from geomag.model.vlm import Vlm
from geomag.sample.pretrain.dense import LABELS, code_reader, place_code, read_code
from geomag.sample.pretrain.scenes import BaseScene, Lesson
from geomag.seeds import generator
from geomag.train.loop import part_of

N_GLIMPSED, PATCHES = 4, 8


class Gather(nn.Module):
    """What the predicting row must know before it looks: the names and the place asked for.

    Read off the last layer's input by cosine with the names' own words (`base_dense`), so that
    attention can find the patches that point the same way; thrown away after training.
    """

    def __init__(self, vlm: Vlm) -> None:
        super().__init__()
        self._table = [vlm.llava.get_input_embeddings().weight]  # in a list: not a submodule's
        self._ids = [torch.tensor(vlm.ids(name)) for name in LABELS]
        self.sharpness = nn.Parameter(torch.tensor([10.0, -4.0]))
        self._reader = code_reader(vlm.width)

    def forward(self, rows: Tensor, lessons: Sequence[Lesson]) -> Tensor:
        """Loss ``[]`` over rows ``[T, D]``: names of those that name anything, centres of boxes."""
        table = self._table[0]
        words = F.normalize(torch.stack([table[ids].mean(0) for ids in self._ids]), dim=1)
        scale, bias = self.sharpness
        said = F.normalize(rows, dim=1) @ words.T * scale + bias
        named = torch.zeros_like(said)
        centre = rows.new_zeros(len(rows), 2)
        for t, lesson in enumerate(lessons):
            named[t, list(lesson.names)] = 1
            if lesson.centre is not None:
                centre[t] = rows.new_tensor(lesson.centre)
        names = torch.tensor([bool(lesson.names) for lesson in lessons], device=rows.device)
        boxes = torch.tensor([lesson.centre is not None for lesson in lessons], device=rows.device)
        loss = rows.new_zeros(())
        if bool(names.any()):
            weight = said.new_tensor(len(LABELS) / 4)
            loss = loss + F.binary_cross_entropy_with_logits(
                said[names], named[names], pos_weight=weight
            )
        if bool(boxes.any()):
            said_place = read_code(rows[boxes], self._reader)
            wanted = place_code(centre[boxes, 0], centre[boxes, 1])
            loss = loss + 2 * F.mse_loss(said_place, wanted)
        return loss


class Reading:
    """Job: know what a question names and which place it gives, before there is an image.

    Text alone is short, so this part is cheap; learned among image tokens it is what holds
    everything else up.
    """

    def __init__(self, vlm: Vlm, scenes: Sequence[BaseScene], *, seed: int) -> None:
        self._vlm, self._seed = vlm, seed
        self._gather = Gather(vlm)
        lessons = [lesson for scene in scenes for lesson in scene.lessons]
        self._lessons = [x for x in lessons if x.names or x.centre is not None]
        self._pictures = [scene.whole for scene in scenes]

    def parameters(self) -> dict[str, Tensor]:
        """The language model below its last layer, and the heads."""
        last = len(self._vlm.language_model.layers) - 1
        found = {
            name: tensor
            for name, tensor in self._vlm.language_model.named_parameters()
            if not name.startswith((f"layers.{last}.", "norm."))
        }
        return {**found, **{f"gather.{k}": v for k, v in self._gather.named_parameters()}}

    def batch(self, update: int, size: int) -> list[Lesson]:
        """Lessons of an update."""
        rng = generator(self._seed, "reading", update)
        return [self._lessons[i] for i in rng.integers(0, len(self._lessons), size)]

    def losses(self, samples: Sequence[Lesson], update: Sequence[Lesson]) -> dict[str, Tensor]:
        """Names and places read off the last prompt position below the last layer."""
        prompts = [self._vlm.prompt_ids(lesson.prompt) for lesson in samples]
        packed = self._vlm.pack(prompts, self._glimpses(len(samples)))
        with self._vlm.last_layer_input() as caught:
            self._vlm.states(packed)
        gathered = self._gather(caught["x"][:, -1], samples)
        return part_of({"total": gathered, "gather": gathered}, samples, update)

    @torch.no_grad()
    def _glimpses(self, n: int) -> list[Tensor]:
        """A few patches of some scene before each question: to be read past."""
        picked = torch.randint(len(self._pictures), (N_GLIMPSED,))
        pixels = torch.from_numpy(np.stack([self._pictures[i] for i in picked]))
        pixels = pixels.permute(0, 3, 1, 2).float() / 255
        whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(N_GLIMPSED, -1)
        patches = visual_tokens(self._vlm.llava.model, pixels, whole).flatten(0, 1)
        chosen = torch.randint(len(patches), (n, PATCHES))
        return list(patches[chosen])
