"""Where to look, behind one Protocol: Eq 4, the model's own coarse mask, both, and two controls.

The paper's probe is `AttentionProbe`. Its windows can miss what the plain answer already found
roughly, so a window around that answer's mask is another probe, and their union a third
(decisions/0014: the window is the bottleneck). A window that is doubtful leaves the image whole:
the plain answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from geomag.config.schema import Profile
from geomag.data.benchmarks import Granularity
from geomag.geometry import BoolMask, PixelBox
from geomag.inference.probing import Probed, probe_all, window_rule, with_second
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.crops import Heat, windows
from geomag.magcrop.heat_cache import HeatCache
from geomag.magcrop.mask_window import mask_window
from geomag.magcrop.window import Window, grow_box, select_window
from geomag.model.geomag import GeoMag
from geomag.model.large import is_large
from geomag.model.model_input import plain_input
from geomag.model.query import ModelAnswer, Query
from geomag.seeds import generator


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """One question whose window is looked for."""

    image: RgbImage
    prompt: str
    """Question before framing, as the answer is asked for."""
    probe_prompt: str
    """Question before framing, in the probe's wording."""
    granularity: Granularity
    heat: Heat | None = None
    """If it was probed before."""
    truth: BoolMask | None = None
    """``[H, W]``; only the oracle looks at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowProposal:
    """Where a probe would look."""

    boxes: tuple[PixelBox, ...]
    """C_1, or C_1 and C_2; empty where it is doubtful: the image stays whole."""
    confidence: float
    """Confidence of the probe in [0, 1]; what the gate is held against, whether or not it has
    closed."""
    heat: Heat | None = None
    plain: ModelAnswer | None = None
    """The answer about the whole image, where the probe has asked for it."""


class WindowProbe(Protocol):
    """Finds windows for questions, in order."""

    def find(self, wanted: Sequence[ProbeRequest]) -> list[WindowProposal]:
        """Propose where to look for each question, in order."""
        ...


class AttentionProbe:
    """Eq 4 (paper 3.2.2); sure by the share of the heat inside its window (``magcrop.gate``)."""

    def __init__(self, model: GeoMag, profile: Profile, cache: HeatCache | None = None) -> None:
        self._model, self._profile, self._cache = model, profile, cache

    def find(self, wanted: Sequence[ProbeRequest]) -> list[WindowProposal]:
        """Windows from stored maps, or from maps probed now."""
        rule, found = window_rule(self._profile), []
        for one, heat in zip(wanted, self._maps(wanted), strict=True):
            height, width = one.image.shape[:2]
            size = {"width": width, "height": height}
            share = select_window(heat.first, rule=rule, **size).share
            boxes = windows(heat, rule=rule, **size)
            found.append(WindowProposal(boxes=boxes, confidence=share, heat=heat))
        return found

    def _maps(self, wanted: Sequence[ProbeRequest]) -> list[Heat]:
        """Heatmaps of each question: stored ones with the second map of the window found now."""
        vlm, profile = self._model.vlm, self._profile
        queries = [Probed(w.image, w.probe_prompt, w.granularity) for w in wanted]
        stored = [i for i, w in enumerate(wanted) if w.heat is not None]
        new = [i for i, w in enumerate(wanted) if w.heat is None]
        known = [heat for w in wanted if (heat := w.heat) is not None]
        asked = [queries[i] for i in stored]
        maps = dict(zip(stored, with_second(vlm, asked, known, profile, self._cache), strict=True))
        probed = probe_all(vlm, [queries[i] for i in new], profile, self._cache)
        maps.update(zip(new, probed, strict=True))
        return [maps[i] for i in range(len(wanted))]


class MaskProbe:
    """Windows around the plain answer's first mask, trusted by its probability (``mask_gate``).

    Only a pixel-level question has a mask; others stay whole.
    """

    def __init__(self, model: GeoMag, profile: Profile) -> None:
        self._model, self._profile = model, profile

    def find(self, wanted: Sequence[ProbeRequest]) -> list[WindowProposal]:
        """Ask all pixel-level questions plainly first."""
        profile = self._profile
        found = [WindowProposal(boxes=(), confidence=0.0, heat=w.heat) for w in wanted]
        asked = [i for i, w in enumerate(wanted) if w.granularity is Granularity.PIXEL]
        size = profile.predict.batch
        for start in range(0, len(asked), size):
            part = asked[start : start + size]
            answers = self._model.answer(
                [_plainly(wanted[i], profile) for i in part],
                max_new_tokens=profile.predict.max_new_tokens,
            )
            for index, answer in zip(part, answers, strict=True):
                found[index] = replace(self._around(answer), heat=wanted[index].heat)
        return found

    def _around(self, answer: ModelAnswer) -> WindowProposal:
        settings = self._profile.magcrop
        window, score = None, 0.0
        if answer.masks:
            window = mask_window(answer.masks[0], min_px=settings.min_px)
            score = answer.mask_scores[0]
        if window is None:
            return WindowProposal(boxes=(), confidence=0.0, plain=answer)
        sure = not window.is_doubtful and score >= settings.mask_gate
        return WindowProposal(boxes=(window.box,) if sure else (), confidence=score, plain=answer)


class JointProbe:
    """The mask's window where it is sure, and otherwise Eq 4's."""

    def __init__(self, model: GeoMag, profile: Profile, cache: HeatCache | None = None) -> None:
        self._mask = MaskProbe(model, profile)
        self._attention = AttentionProbe(model, profile, cache)

    def find(self, wanted: Sequence[ProbeRequest]) -> list[WindowProposal]:
        """Propose by both probes; each is asked every question."""
        pairs = zip(self._mask.find(wanted), self._attention.find(wanted), strict=True)
        return [
            replace(mask, heat=eq4.heat) if mask.boxes else replace(eq4, plain=mask.plain)
            for mask, eq4 in pairs
        ]


class MaskOrSearch:
    """The mask's window in an image that is seen whole; in a large one Eq 4's where it has none.

    Squashed to the model's input an object of a large image is not there to be drawn, so it is
    searched for (``magcrop.large_probe``).
    """

    def __init__(self, model: GeoMag, profile: Profile, cache: HeatCache | None = None) -> None:
        self._profile = profile
        self._whole, self._large = MaskProbe(model, profile), JointProbe(model, profile, cache)

    def find(self, wanted: Sequence[ProbeRequest]) -> list[WindowProposal]:
        """Propose by the probe for the size of each image."""
        found: dict[int, WindowProposal] = {}
        for probe, large in ((self._whole, False), (self._large, True)):
            chosen = [i for i, w in enumerate(wanted) if is_large(w.image, self._profile) is large]
            found.update(zip(chosen, probe.find([wanted[i] for i in chosen]), strict=True))
        return [found[i] for i in range(len(wanted))]


class OracleProbe:
    """Windows around the truth: what a perfect probe would give."""

    def __init__(self, profile: Profile) -> None:
        self._min_px = profile.magcrop.min_px

    def find(self, wanted: Sequence[ProbeRequest]) -> list[WindowProposal]:
        """Propose the truth's windows, and none where there is no truth."""
        found = []
        for one in wanted:
            window: Window | None = None
            if one.truth is not None:
                window = mask_window(one.truth, context=1.0, min_px=self._min_px)
            boxes = () if window is None or window.is_doubtful else (window.box,)
            found.append(WindowProposal(boxes=boxes, confidence=1.0))
        return found


class RandomProbe:
    """A window of a random size at a random place: what magnifying alone gives."""

    def __init__(self, profile: Profile, *, seed: int = 0) -> None:
        self._settings, self._seed = profile.magcrop, seed

    def find(self, wanted: Sequence[ProbeRequest]) -> list[WindowProposal]:
        """Propose windows that depend on seed, order and image size alone."""
        rng = generator(self._seed, "random windows")
        found = []
        for one in wanted:
            height, width = one.image.shape[:2]
            side = float(rng.choice(self._settings.sizes)) * min(width, height)
            x, y = rng.uniform(0, 1, 2) * np.array([width - side, height - side])
            spot = PixelBox(float(x), float(y), float(x) + side, float(y) + side)
            box = grow_box(spot, width=width, height=height, min_px=self._settings.min_px)
            found.append(WindowProposal(boxes=(box,), confidence=1.0))
        return found


def build_probe(model: GeoMag, profile: Profile, cache: HeatCache | None = None) -> WindowProbe:
    """The probe that ``magcrop.probe`` names."""
    kind = profile.magcrop.probe
    if kind == "attention":
        return AttentionProbe(model, profile, cache)
    if kind == "mask":
        return MaskOrSearch(model, profile, cache)
    return JointProbe(model, profile, cache)


def _plainly(wanted: ProbeRequest, profile: Profile) -> Query:
    height, width = wanted.image.shape[:2]
    return Query(plain_input(wanted.image, profile), wanted.prompt, height, width)
