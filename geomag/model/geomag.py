"""GeoMag whole: a prompt and an image in; text and masks out.

Paper Fig 2; protocols/model#pipeline.
"""

import math
import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from geomag.data.grounded import parse_grounding
from geomag.data.prompts import seg_tokens
from geomag.geometry import BoolMask, PixelBox
from geomag.model.adapter import adapter_parameters
from geomag.model.decoding import Generated
from geomag.model.model_input import ModelInput, encoder_pixels
from geomag.model.packing import pack_questions
from geomag.model.pixel_decoder import (
    DecoderKind,
    OmegaNorm,
    PixelDecoder,
    TextProjection,
    image_logits,
)
from geomag.model.precision import products_in
from geomag.model.prefix import distinct, pack_shared
from geomag.model.query import ModelAnswer, Query
from geomag.model.sam2_parts import Sam2Parts
from geomag.model.segments import Groups, find_groups, label_groups, with_seg_marks
from geomag.model.training_pass import BatchPart, PartOutput, TrainingBatch, TrainingOutput
from geomag.model.vision import cut, merge, tower_features, unit_box
from geomag.model.vlm import Vlm

ENCODE_AT_ONCE = 64


class GeoMag(nn.Module):
    """Frozen VLM and SAM2 encoder, adapter, Text Projection and Pixel Decoder.

    Args:
        vlm: With its adapter, which has added the [SEG] tokens.
        sam: Its encoder, and the mask decoder that Eq 1 starts from.
        n_seg: N of Eq 1.
        decoder: How the feature levels make a mask (`PixelDecoder`).
        omega_norm: Whether omega is a softmax.
        trains_projector: Whether LLaVA's projector trains too.
    """

    def __init__(
        self,
        vlm: Vlm,
        sam: Sam2Parts,
        *,
        n_seg: int,
        decoder: DecoderKind = "sam2_ms",
        omega_norm: OmegaNorm = "none",
        trains_projector: bool = False,
    ) -> None:
        super().__init__()
        self.vlm = vlm
        self.sam = sam
        self.trains_projector = trains_projector
        self.projection = TextProjection(vlm.width, sam.size.neck_width)
        self.decoder = PixelDecoder(sam, n_seg=n_seg, kind=decoder, omega_norm=omega_norm)
        self.seg_names = seg_tokens(n_seg)

    def trainable_parameters(self) -> dict[str, Tensor]:
        """Adapter, Text Projection and what Eq 1 reaches of the Pixel Decoder, by name."""
        found = adapter_parameters(self.vlm)
        found.update({f"projection.{k}": v for k, v in self.projection.named_parameters()})
        found.update({f"decoder.{k}": v for k, v in self.decoder.trainable_parameters().items()})
        return found

    def forward(self, batch: TrainingBatch) -> TrainingOutput:
        """Read answers that are known, and draw the masks they ask for.

        Forward pass flow:
            1. Visual tokens ``[n_i, D]`` and words are merged into rows ``[B, S, D]``.
            2. The language model reads them; its head gives logits ``[A, V]`` where an answer's
               token is predicted.
            3. The states that predict each [SEG] group ``[K, N, D]`` go through the Text Projection
               and are fused to one prompt per target ``[K, 1, C]``.
            4. The Pixel Decoder draws ``[K, S/4, S/4]`` from SAM2's features of the targets.
        """
        read = [self._read(batch.head, part) for part in batch.parts]
        parts = [part for part, _ in read]
        h_seg = torch.cat([states for _, states in read])
        if not len(h_seg):
            return TrainingOutput(parts, None, None)
        features = [level.to(h_seg.device) for level in batch.features]
        prompts = self.decoder.fuse(self.projection(h_seg.float()))
        return TrainingOutput(parts, prompts, self.decoder.from_prompt(prompts, features))

    def _read(self, head: Sequence[int], part: BatchPart) -> tuple[PartOutput, Tensor]:
        """One pass of the language model, and its [SEG] states ``[K_p, N, D]``."""
        visual = [self.tokens(tokens.to(self.vlm.device)) for tokens in part.visual]
        rows = pack_questions(self.vlm, head, visual, part.turns)
        with self.vlm.last_layer_input() as caught:
            states = self.vlm.states(rows.packed)
        groups = label_groups(rows.packed.labels, self.seg_ids)
        offsets = torch.arange(len(self.seg_names), device=states.device)
        h_seg = states[groups[:, :1], groups[:, 1:] - 1 + offsets]  # what predicts each [SEG]
        logits = self.vlm.answer_logits(states, rows.packed)
        return PartOutput(rows, logits, groups, caught), h_seg

    @property
    def seg_ids(self) -> list[int]:
        """Ids of the [SEG] group; the adapter must have added them."""
        return [int(i) for i in self.vlm.tokenizer.convert_tokens_to_ids(list(self.seg_names))]

    @torch.no_grad()
    def visual(self, model_inputs: Sequence[ModelInput]) -> list[Tensor]:
        """Visual tokens ``[n_i, D]`` of each look, its views in order."""
        return self._views_of(model_inputs, projected=True)

    @torch.no_grad()
    def frozen_visual(self, model_inputs: Sequence[ModelInput]) -> list[Tensor]:
        """What training computes only once of each look: its visual tokens ``[n_i, D]``.

        Where the projector trains, what it reads, ``[n_i, C]``; `tokens` makes tokens of either.
        """
        return self._views_of(model_inputs, projected=not self.trains_projector)

    def tokens(self, frozen: Tensor) -> Tensor:
        """Visual tokens ``[n, D]`` from what `frozen_visual` gives of one model input."""
        if not self.trains_projector:
            return frozen
        return self.vlm.project(frozen)

    def _views_of(self, model_inputs: Sequence[ModelInput], *, projected: bool) -> list[Tensor]:
        jobs: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for index, model_input in enumerate(model_inputs):
            for number, view in enumerate(model_input.views):
                jobs.setdefault((view.side_px, view.pooled), []).append((index, number))
        found: dict[tuple[int, int], Tensor] = {}
        for places in jobs.values():
            for start in range(0, len(places), ENCODE_AT_ONCE):
                part = places[start : start + ENCODE_AT_ONCE]
                tokens = self._visual_batch([(model_inputs[i], n) for i, n in part], projected)
                found.update(zip(part, tokens, strict=True))
        return [
            torch.cat([found[(i, n)] for n in range(len(model_input.views))])
            for i, model_input in enumerate(model_inputs)
        ]

    def _visual_batch(
        self, parts: Sequence[tuple[ModelInput, int]], projected: bool
    ) -> list[Tensor]:
        """Tokens or features of views that share their side and what they are pooled to."""
        device = self.vlm.device
        pixels, boxes = [], []
        for model_input, number in parts:
            view = model_input.views[number]
            height, width = model_input.image.shape[:2]
            pixels.append(cut(torch.from_numpy(model_input.image), view))
            boxes.append(unit_box(view, width=width, height=height))
        tokens = tower_features(
            self.vlm.llava.model,
            torch.stack(pixels).to(device),
            torch.tensor(boxes, device=device),
            pooled=parts[0][0].views[parts[0][1]].pooled,
        )
        if projected:
            tokens = self.vlm.project(tokens)
        kept = [model_input.views[number].kept for model_input, number in parts]
        return [merge(one, k) if k else one for one, k in zip(tokens, kept, strict=True)]

    @torch.no_grad()
    def features(self, model_inputs: Sequence[ModelInput]) -> list[Tensor]:
        """SAM2's multi-scale features of a batch of model inputs, fine to coarse."""
        pixels = torch.stack(
            [encoder_pixels(model_input, self.sam.size.image_px) for model_input in model_inputs]
        )
        pixels = pixels.to(self.vlm.device)
        encode = self.sam.raw_pyramid if self.decoder.kind == "per_level" else self.sam.encode
        with products_in(self.sam.precision, self.vlm.device):
            return [level.float() for level in encode(pixels)]

    def mask_logits(self, h_seg: Tensor, f_img: list[Tensor]) -> Tensor:
        """Eq 1 from raw [SEG] states ``[K, N, D]``: logits ``[K, S/4, S/4]``."""
        with products_in(self.sam.precision, self.vlm.device):
            logits: Tensor = self.decoder(self.projection(h_seg.float()), f_img)
        return logits.float()

    @torch.no_grad()
    def answer(self, queries: Sequence[Query], *, max_new_tokens: int) -> list[ModelAnswer]:
        """Greedy answers of a batch; masks are decoded where a whole [SEG] group was emitted.

        Queries that share a `ModelInput` (the same object) share its visual tokens, their place in
        the language model's cache, and SAM2's features.
        """
        begun = self._now()
        firsts, owners = distinct([id(q.model_input) for q in queries])
        visual = self.visual([queries[i].model_input for i in firsts])
        seen = self._now()
        prompts = [self.vlm.prompt_ids(q.prompt) for q in queries]
        packed = pack_shared(self.vlm, prompts, visual, owners)
        made = self.vlm.generate(packed, max_new_tokens=max_new_tokens)
        said = self._now()
        groups = [find_groups(tokens, self.seg_ids) for tokens in made.tokens]
        features = self._features_of([i for i, g in enumerate(groups) if g.starts], queries)
        answers = [
            self._finish(query, made, index, groups[index], features.get(index))
            for index, query in enumerate(queries)
        ]
        drawn = self._now()
        seconds = {"vision": seen - begun, "language": said - seen, "masks": drawn - said}
        share = {phase: value / max(1, len(queries)) for phase, value in seconds.items()}
        for answer in answers:
            answer.seconds.update(share)
        return answers

    def _now(self) -> float:
        """Seconds of the clock once the device has done what it was given."""
        if self.vlm.device.type == "cuda":
            torch.cuda.synchronize(self.vlm.device)
        return time.perf_counter()

    def _features_of(
        self, rows: Sequence[int], queries: Sequence[Query]
    ) -> dict[int, list[Tensor]]:
        """SAM2's features, batch 1 each, of the queries that a mask is drawn for."""
        firsts, owners = distinct([id(queries[row].model_input) for row in rows])
        found: list[list[Tensor]] = []
        for start in range(0, len(firsts), ENCODE_AT_ONCE // 4):
            part = firsts[start : start + ENCODE_AT_ONCE // 4]
            levels = self.features([queries[rows[i]].model_input for i in part])
            found += [[level[n : n + 1] for level in levels] for n in range(len(part))]
        return {row: found[owner] for row, owner in zip(rows, owners, strict=True)}

    def _finish(
        self,
        query: Query,
        made: Generated,
        index: int,
        groups: Groups,
        features: list[Tensor] | None,
    ) -> ModelAnswer:
        tokens, states = made.tokens[index], made.states[index]
        text = with_seg_marks(self.vlm.decode(tokens), self.seg_names)
        n_seg = len(self.seg_names)
        masks: tuple[BoolMask, ...] = ()
        scores: tuple[float, ...] = ()
        chances: tuple[NDArray[np.uint8], ...] = ()
        if features is not None:
            h_seg = torch.stack([states[s : s + n_seg] for s in groups.starts])
            logits = self.mask_logits(h_seg, features)
            pasted = [self._paste(query, one) for one in logits]
            masks, chances = tuple(m for m, _ in pasted), tuple(c for _, c in pasted)
            scores = tuple(_confidence(one) for one in logits)
        said = made.log_probs[index]
        likely = math.exp(sum(said) / len(said)) if said else 0.0
        phrases = parse_grounding(text).phrases
        return ModelAnswer(text, masks, phrases, groups.n_incomplete, scores, chances, likely)

    def _paste(self, query: Query, logits: Tensor) -> tuple[BoolMask, NDArray[np.uint8]]:
        """A mask and its probability at the image's size; what SAM2 did not see is background."""
        height, width = query.height, query.width
        x0, y0, x1, y1 = (query.model_input.encoder_box or PixelBox(0, 0, width, height)).as_ints()
        mask = np.zeros((height, width), dtype=bool)
        chance = np.zeros((height, width), dtype=np.uint8)
        seen = image_logits(logits[None], height=y1 - y0, width=x1 - x0)[0].cpu()
        mask[y0:y1, x0:x1] = (seen > 0).numpy()
        chance[y0:y1, x0:x1] = (seen.sigmoid() * 255).round().byte().numpy()
        return mask, chance


def _confidence(logits: Tensor) -> float:
    chance = logits.float().sigmoid()
    inside = chance > 0.5
    return float(chance[inside].mean()) if bool(inside.any()) else 0.0
