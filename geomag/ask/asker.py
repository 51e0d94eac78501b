"""One loaded model that answers questions about pictures, as often as it is asked."""

import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geomag.ask.reply import Arm, DrawnMask, Reply
from geomag.ask.wording import Prompt
from geomag.config import profile_digest
from geomag.config.schema import Profile
from geomag.data.benchmarks import Granularity
from geomag.data.prompts import PROMPT_VERSION
from geomag.geometry import PixelBox
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.crops import Heat
from geomag.magcrop.granularity import Judgement, is_gcg
from geomag.magcrop.window import select_window
from geomag.model.assemble import judge, trained
from geomag.model.choice import settle
from geomag.model.geomag import Query
from geomag.model.large import settings_for
from geomag.model.look import Look, magcrop_look, plain_look
from geomag.model.probes import Found, Wanted, build_probe
from geomag.model.probing import Probed, probe_all, window_rule
from geomag.sealed import sealed

PARTS = ("base", "granularity", "adapter", "decoder")


@dataclass(frozen=True, slots=True)
class Looked:
    """How MagCrop treats one picture for one prompt."""

    judgement: Judgement
    found: Found | None
    """None where nothing was probed."""
    look: Look

    @property
    def heat(self) -> Heat | None:
        """Eq 4's maps; None where it was not asked."""
        return self.found.heat if self.found else None

    @property
    def boxes(self) -> tuple[PixelBox, ...]:
        """C_1, or C_1 and C_2; empty where the image stays whole."""
        return self.found.boxes if self.found else ()


class Asker:
    """A trained model with its granularity classifier.

    Args:
        models: Folder of the parts `PARTS`.
        profile: The settings they were made with.

    Raises:
        WeightsError: If a part is missing, half-written, or made for another base.
    """

    def __init__(self, models: Path, profile: Profile) -> None:
        self.profile = profile
        self.versions = {part: str(sealed(models / part)["digest"]) for part in PARTS}
        self.model = trained(models, profile)
        self.judge = judge(models, profile)

    def identity(self) -> dict[str, Any]:
        """What answers depend on beside image and prompt: digests of weights and settings."""
        return {
            "model": self.versions,
            "profile": {"name": self.profile.name, "digest": profile_digest(self.profile)},
            "prompt_version": PROMPT_VERSION,
        }

    def fit(self, prompt: Prompt) -> Prompt:
        """The prompt cut to the tokens that the language model has room for, with a note."""
        vlm, config = self.model.vlm, self.profile.predict
        most = int(vlm.llava.config.text_config.max_position_embeddings)
        visual = (self.profile.vlm.image_px // self.profile.vlm.patch_px) ** 2
        room = most - visual - max(config.max_new_tokens, config.max_new_tokens_gcg)
        room -= len(vlm.prompt_ids(""))
        ids = vlm.ids(prompt.text)
        if len(ids) <= room:
            return prompt
        text = vlm.decode(ids[:room])
        note = f"The prompt was cut from {len(ids):,} to {room:,} tokens."
        return Prompt(text, text, (*prompt.notes, note))

    def look(self, image: RgbImage, prompt: Prompt) -> Looked:
        """Judge the prompt, probe where its granularity asks for it, and adjust (Eq 2-4)."""
        judgement = self.judge.judge([prompt.text])[0]
        level = judgement.granularity
        if level not in (Granularity.REGION, Granularity.PIXEL):
            return Looked(judgement, None, magcrop_look(image, level, (), self.profile))
        wanted = Wanted(
            image=image,
            prompt=prompt.text,
            probe_prompt=prompt.probe(self.profile.prompt.probe),
            granularity=level,
        )
        (found,) = build_probe(self.model).find([wanted])
        settings = settings_for(image, self.profile)
        look = magcrop_look(image, level, found.boxes, settings, found.heat)
        return Looked(judgement, found, look)

    def probe(self, image: RgbImage, prompt: Prompt, level: Granularity) -> Heat:
        """Eq 4 over the image, and over C_1 at pixel level."""
        wording = prompt.probe(self.profile.prompt.probe)
        return next(probe_all(self.model.vlm, [Probed(image, wording, level)], self.profile))

    def share(self, heat: Heat, image: RgbImage) -> float:
        """Part of the heat inside C_1's window of cells, in [0, 1]."""
        height, width = image.shape[:2]
        rule = window_rule(self.profile)
        return select_window(heat.first, width=width, height=height, rule=rule).share

    def target(self, image: RgbImage, prompt: Prompt) -> str:
        """The token whose loss Eq 4 differentiates: the first one that the probed model says."""
        vlm = self.model.vlm
        asked = vlm.prompt_ids(prompt.probe(self.profile.prompt.probe))
        is_base = self.profile.magcrop.weights == "base"
        with vlm.base_weights() if is_base else nullcontext():
            packed = vlm.pack([asked], self.model.visual([plain_look(image, self.profile)]))
            said = vlm.generate(packed, max_new_tokens=1).tokens[0]
        return vlm.decode(said) if said else str(vlm.tokenizer.eos_token)

    def ask(self, image: RgbImage, prompt: Prompt, *, arm: Arm = "magcrop") -> Reply:
        """Answer one prompt about one picture ``uint8 [H, W, 3]``."""
        begun = time.perf_counter()
        height, width = image.shape[:2]
        if arm == "plain":
            plain = Judgement(None, 1.0)
            looked = Looked(plain, None, plain_look(image, self.profile))
        else:
            looked = self.look(image, prompt)
        seen = time.perf_counter()
        config = self.profile.predict
        most = config.max_new_tokens_gcg if is_gcg(prompt.text) else config.max_new_tokens
        query = Query(looked.look, prompt.text, height, width)
        through = self.model.answer([query], max_new_tokens=most)
        whole = Query(plain_look(image, self.profile), prompt.text, height, width)
        (answer,) = settle(
            self.model, through, [looked.found], lambda _: whole, max_new_tokens=most
        )
        named = len(answer.phrases) == len(answer.masks)
        phrases = answer.phrases if named else ("",) * len(answer.masks)
        masks = tuple(
            DrawnMask(phrase or prompt.subject, score, np.asarray(mask))
            for phrase, mask, score in zip(phrases, answer.masks, answer.mask_scores, strict=True)
        )
        level = looked.judgement.granularity
        is_through = answer is through[0]
        stands = looked.look if is_through else whole.look
        return Reply(
            text=answer.text,
            masks=masks,
            granularity="none" if level is None else level.value,
            confidence=looked.judgement.confidence,
            crop_boxes=looked.boxes if is_through else (),
            visual_tokens=stands.n_tokens(self.profile.vlm.patch_px),
            n_incomplete=answer.n_incomplete,
            seconds={"look": seen - begun, **answer.seconds},
        )
