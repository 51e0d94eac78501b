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
from torch import Tensor

from geomag.config.schema import CeMean
from geomag.model.packing import QuestionIds, pack_questions
from geomag.model.vision import visual_tokens
from geomag.model.vlm import Vlm
from geomag.sample.pretrain.dense import code_reader, place_code, read_code
from geomag.sample.pretrain.reading import Gather
from geomag.sample.pretrain.scenes import BaseScene, Lesson
from geomag.seeds import generator
from geomag.train.alignment import cell_targets, row_attention
from geomag.train.loop import part_of
from geomag.train.losses import alignment_loss, answer_loss

TURNS = 5
ASKED, OTHER = 6, 3
"""Questions of yes or no, and other ones, in `Questions`: turns are short, an image is long."""
SHORT = 6
"""Words of the longest answer in `Questions`."""
YES_NO = ("yes", "no")
SIDES = ((1.0, None), (1.0, None), (1.0, None), (0.75, 1.0))
"""Sides of (whole, crop) as shares of the native side; None leaves the crop out."""


@dataclass(frozen=True, slots=True)
class Row:
    """One image of an update and the lessons drawn for it."""

    scene: BaseScene
    lessons: tuple[Lesson, ...]
    sides: tuple[float, float | None]


class Lessons:
    """Job: answer questions about drawn scenes, and look at what they are about."""

    ce_mean: CeMean = "token"

    def __init__(
        self,
        vlm: Vlm,
        scenes: Sequence[BaseScene],
        *,
        alignment: float,
        seed: int,
        gather: Gather | None = None,
    ) -> None:
        self._vlm = vlm
        self._scenes = scenes
        self._alignment = alignment
        self._seed = seed
        self._patch = vlm.llava.config.vision_config.patch_size
        self._native = vlm.llava.config.vision_config.image_size
        self._ids = QuestionIds(vlm)
        self.gather = gather or Gather(vlm)
        """Thrown away after training; a job that goes on from another takes its."""
        self._reader = code_reader(vlm.width)

    def parameters(self) -> dict[str, Tensor]:
        """Everything but the tower's unread last layer and its pooler."""
        last = len(self._vlm.llava.model.vision_tower.encoder.layers) - 1
        idle = ("post_layernorm", f"encoder.layers.{last}.")
        found = {
            name: tensor
            for name, tensor in self._vlm.llava.named_parameters()
            if not any(word in name for word in idle)
        }
        return {**found, **{f"gather.{k}": v for k, v in self.gather.named_parameters()}}

    def batch(self, update: int, size: int) -> list[Row]:
        """Rows of an update; all share the sides of their views."""
        rng = generator(self._seed, "lessons", update)
        sides = SIDES[int(rng.integers(len(SIDES)))]
        rows = []
        for index in rng.integers(0, len(self._scenes), size):
            scene = self._scenes[index]
            rows.append(Row(scene, self._picked(scene, rng), sides))
        return rows

    def _picked(self, scene: BaseScene, rng: np.random.Generator) -> tuple[Lesson, ...]:
        order = rng.permutation(len(scene.lessons))[:TURNS]
        return tuple(scene.lessons[i] for i in order)

    def _absent(self, lesson: Lesson) -> bool:
        """Whether a lesson without a target is taught to look away from the image."""
        return False

    def losses(self, samples: Sequence[Row], update: Sequence[Row]) -> dict[str, Tensor]:
        """Answer cross-entropy, plus the alignment where a lesson has a target."""
        visual, boxes = self._views(samples)
        turns = [[self._ids.question(x.prompt, x.answer) for x in row.lessons] for row in samples]
        together = pack_questions(self._vlm, self._ids.head, visual, turns)
        with self._vlm.last_layer_input() as caught:
            states = self._vlm.states(together.packed)
        ce = answer_loss(
            self._vlm.answer_logits(states, together.packed), together.packed, mean=self.ce_mean
        )
        if not self._alignment:
            return part_of({"total": ce, "ce": ce}, samples, update)
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
            elif self._absent(lesson):
                target[t, : len(self._ids.head)] = 1
        aligned = alignment_loss(attention, target)
        rows = caught["x"][together.last_prompt[:, 0], together.last_prompt[:, 1]]
        gathered = self.gather(rows, [lesson for _, lesson in lessons])
        found = self._place_loss(
            states[together.last_prompt[:, 0], together.last_prompt[:, 1]],
            [(samples[r].scene, lesson) for r, lesson in lessons],
        )
        total = ce + self._alignment * (aligned + gathered + found)
        losses = {"total": total, "ce": ce, "alignment": aligned}
        return part_of({**losses, "gather": gathered, "place": found}, samples, update)

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
        return 4 * F.mse_loss(read_code(states[rows], self._reader), wanted)

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


class Questions(Lessons):
    """Job: short answers, and yes or no above all.

    Attention sums to 1, so it says what fits best and never that nothing fits. Here a thing that is
    not there is looked for in vain: its row is taught to attend to the words before the image, and
    what it brings back from there is a no.
    """

    ce_mean: CeMean = "answer"
    asked, longest = ASKED, SHORT

    def _picked(self, scene: BaseScene, rng: np.random.Generator) -> tuple[Lesson, ...]:
        asked = [x for x in scene.lessons if x.answer in YES_NO]
        other = [
            x
            for x in scene.lessons
            if x.answer not in YES_NO and len(x.answer.split()) <= self.longest
        ]
        chosen = [asked[i] for i in rng.permutation(len(asked))[: self.asked]]
        chosen += [other[i] for i in rng.permutation(len(other))[:OTHER]]
        return tuple(chosen)

    def _absent(self, lesson: Lesson) -> bool:
        return bool(lesson.names) and lesson.answer in YES_NO and not lesson.targets


class Recall(Questions):
    """Job: answers of any length again; thousands of short ones cost the long ones."""

    asked, longest = OTHER, 1000
