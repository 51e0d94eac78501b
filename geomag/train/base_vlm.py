"""Base training, part 2: a tiny LLaVA learns to look and read from scratch, then is frozen.

Each update takes images with several questions each; a row holds one image, its views, and its
turns under a block mask. Stands in for LLaVA-1.5's own training in the sample profile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from geomag.data.prompts import frame
from geomag.model.turns import Turn, pack_turns
from geomag.model.vision import visual_tokens
from geomag.model.vlm import Vlm
from geomag.seeds import generator
from geomag.train.alignment import cell_targets, row_attention
from geomag.train.base_dense import LABELS, code_reader, place_code, read_code
from geomag.train.base_scenes import BaseScene, Lesson
from geomag.train.losses import alignment_loss, answer_loss

TURNS = 5
N_GLIMPSED, PATCHES = 4, 8
SIDES = ((1.0, None), (1.0, None), (1.0, None), (0.75, 1.0))
"""Sides of (whole, crop) as shares of the native side; None leaves the crop out."""


@dataclass(frozen=True, slots=True)
class Row:
    """One image of an update and the lessons drawn for it."""

    scene: BaseScene
    lessons: tuple[Lesson, ...]
    sides: tuple[float, float | None]


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
        """Loss over rows ``[T, D]``: names of those that name something, centres of boxes."""
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

    def losses(self, samples: Sequence[Lesson]) -> dict[str, Tensor]:
        """Names and places read off the last prompt position below the last layer."""
        prompts = [self._vlm.ids(frame(lesson.prompt)) for lesson in samples]
        packed = self._vlm.pack(prompts, self._glimpses(len(samples)))
        with self._vlm.last_layer_input() as caught:
            self._vlm.states(packed)
        gathered = self._gather(caught["x"][:, -1], samples)
        return {"total": gathered, "gather": gathered}

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


class Lessons:
    """Job: answer questions about drawn scenes, and look at what they are about."""

    def __init__(
        self, vlm: Vlm, scenes: Sequence[BaseScene], *, alignment: float, seed: int
    ) -> None:
        self._vlm = vlm
        self._scenes = scenes
        self._alignment = alignment
        self._seed = seed
        self._patch = vlm.llava.config.vision_config.patch_size
        self._native = vlm.llava.config.vision_config.image_size
        self._tokens: dict[str, list[int]] = {}
        self._gather = Gather(vlm)
        self._reader = code_reader(vlm.width)
        framed = vlm.ids(frame(""))
        self._head = framed[: framed.index(vlm.image_id)]

    def parameters(self) -> dict[str, Tensor]:
        """Everything but the tower's unread last layer and its pooler."""
        last = len(self._vlm.llava.model.vision_tower.encoder.layers) - 1
        idle = ("post_layernorm", f"encoder.layers.{last}.")
        found = {
            name: tensor
            for name, tensor in self._vlm.llava.named_parameters()
            if not any(word in name for word in idle)
        }
        return {**found, **{f"gather.{k}": v for k, v in self._gather.named_parameters()}}

    def batch(self, update: int, size: int) -> list[Row]:
        """Rows of an update; all share the sides of their views."""
        rng = generator(self._seed, "lessons", update)
        sides = SIDES[int(rng.integers(len(SIDES)))]
        rows = []
        for index in rng.integers(0, len(self._scenes), size):
            scene = self._scenes[index]
            picked = rng.permutation(len(scene.lessons))[:TURNS]
            rows.append(Row(scene, tuple(scene.lessons[i] for i in picked), sides))
        return rows

    def losses(self, samples: Sequence[Row]) -> dict[str, Tensor]:
        """Answer cross-entropy, plus the alignment where a lesson has a target."""
        visual, boxes = self._views(samples)
        turns = [[self._turn(lesson) for lesson in row.lessons] for row in samples]
        together = pack_turns(self._vlm, self._head, visual, turns)
        with self._vlm.last_layer_input() as caught:
            states = self._vlm.states(together.packed)
        ce = answer_loss(self._vlm.lm_head, states, together.packed)
        if not self._alignment:
            return {"total": ce, "ce": ce}
        attention = row_attention(
            self._vlm.language_model.layers[-1], caught, together.last_prompt, together.packed.mask
        )
        lessons = [(r, lesson) for r, row in enumerate(samples) for lesson in row.lessons]
        target = torch.zeros_like(attention)
        columns = together.packed.image_columns
        for t, (r, lesson) in enumerate(lessons):
            if lesson.targets:
                masks = samples[r].scene.segmentation.masks[list(lesson.targets)]
                target[t, columns[r]] = torch.from_numpy(
                    self._cells(np.asarray(masks.any(0)), boxes[r])
                )
        aligned = alignment_loss(attention, target)
        rows = caught["x"][together.last_prompt[:, 0], together.last_prompt[:, 1]]
        gathered = self._gather(rows, [lesson for _, lesson in lessons])
        found = self._place_loss(
            states[together.last_prompt[:, 0], together.last_prompt[:, 1]],
            [(samples[r].scene, lesson) for r, lesson in lessons],
        )
        total = ce + self._alignment * (aligned + gathered + found)
        return {
            "total": total,
            "ce": ce,
            "alignment": aligned,
            "gather": gathered,
            "place": found,
        }

    def _place_loss(self, states: Tensor, lessons: Sequence[tuple[BaseScene, Lesson]]) -> Tensor:
        """Whether the row that looked at one object says where it stands.

        The joint training turns these states into prompts of the pixel decoder, with the language
        model frozen but for its adapter: what they do not carry, no projection can find.
        """
        rows, places = [], []
        for row, (scene, lesson) in enumerate(lessons):
            if len(lesson.targets) == 1:
                y, x = np.nonzero(scene.segmentation.masks[lesson.targets[0]])
                if len(x):
                    rows.append(row)
                    places.append((x.mean() + 0.5, y.mean() + 0.5))
        if not rows:
            return states.new_zeros(())
        side = lessons[0][0].segmentation.masks.shape[-1]
        centre = states.new_tensor(np.asarray(places)) / side
        wanted = place_code(centre[:, 0], centre[:, 1])
        return 2 * F.mse_loss(read_code(states[rows], self._reader), wanted)

    def _views(self, samples: Sequence[Row]) -> tuple[list[Tensor], list[list[tuple[Any, int]]]]:
        """Visual tokens per row, and each row's views as (unit box, tokens per side)."""
        whole, crop = samples[0].sides
        parts = [
            self._encode(
                [s.scene.whole for s in samples], [(0.0, 0.0, 1.0, 1.0)] * len(samples), whole
            )
        ]
        views: list[list[tuple[Any, int]]] = [
            [((0.0, 0.0, 1.0, 1.0), self._grid(whole))] for _ in samples
        ]
        if crop is not None:
            boxes = [s.scene.crop_box for s in samples]
            parts.append(self._encode([s.scene.crop for s in samples], boxes, crop))
            for row, box in zip(views, boxes, strict=True):
                row.append((box, self._grid(crop)))
        return list(torch.cat(parts, dim=1)), views

    def _encode(
        self, images: Sequence[NDArray[np.uint8]], boxes: Sequence[tuple[float, ...]], share: float
    ) -> Tensor:
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
        side = self._grid(share) * self._patch
        if side != pixels.shape[-1]:
            pixels = F.interpolate(pixels, (side, side), mode="bicubic", antialias=True).clamp(0, 1)
        return visual_tokens(self._vlm.llava.model, pixels, torch.tensor(boxes))

    def _grid(self, share: float) -> int:
        return int(round(self._native * share) // self._patch)

    def _cells(self, mask: NDArray[np.bool_], views: list[tuple[Any, int]]) -> NDArray[np.float32]:
        return np.concatenate([cell_targets(mask, box, grid) for box, grid in views])

    def _turn(self, lesson: Lesson) -> Turn:
        return Turn(self._ids(lesson.prompt, framed=True), self._ids(lesson.answer, framed=False))

    def _ids(self, text: str, *, framed: bool) -> list[int]:
        if text not in self._tokens:
            if framed:
                ids = self._vlm.ids(frame(text))
                self._tokens[text] = ids[ids.index(self._vlm.image_id) + 1 :]
            else:
                self._tokens[text] = [*self._vlm.ids(text), int(self._vlm.tokenizer.eos_token_id)]
        return self._tokens[text]
