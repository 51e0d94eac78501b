"""The one way from a prompt and a picture to an answer.

Judge the task and frame the prompt, judge its granularity, probe where that asks for it, cut the
views, answer, and select between the window's answer and the whole image's. ``predict``, ``ask``,
``magcrop``, ``serve`` and MLflow's pyfunc all come through here; the benches take the same steps
one by one (`geomag.inference.probes`, `inputs`, `selection`).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from geomag.config import profile_digest
from geomag.config.schema import Profile
from geomag.data.benchmarks import Granularity, Task
from geomag.data.prompts import PROMPT_VERSION
from geomag.inference.framing import frame_prompt
from geomag.inference.output import Arm, DrawnMask, PipelineOutput
from geomag.inference.probes import ProbeRequest, WindowProposal, build_probe
from geomag.inference.probing import heat_cache
from geomag.inference.prompt import Prompt, read_prompt
from geomag.inference.question import Outcome, PreparedQuestion, Question
from geomag.inference.selection import resolve_answers
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.granularity import GranularityDecision, PromptClassifier, is_gcg
from geomag.magcrop.heat_cache import HeatCache
from geomag.manifest import read_manifest
from geomag.model.assemble import load_prompt_classifier, trained
from geomag.model.geomag import GeoMag
from geomag.model.model_input import ModelInput, ModelInputs, plain_input
from geomag.model.query import Query

PARTS = ("base", "granularity", "adapter", "decoder")
_CLOSE = (Granularity.REGION, Granularity.PIXEL)
"""Levels at which a window is looked for."""


class Pipeline:
    """A trained model with its classifiers.

    Args:
        model: In evaluation mode.
        classifier: Judges granularity and task of prompts.
        profile: The settings that the parts were made with; they decide everything below.
        cache: Maps that are known by content; None keeps none.
        versions: Digest of each part's weights, which answers record.
    """

    def __init__(
        self,
        model: GeoMag,
        classifier: PromptClassifier,
        profile: Profile,
        *,
        cache: HeatCache | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        self.model = model
        self.classifier = classifier
        self.profile = profile
        self.versions = dict(versions or {})
        self._probe = build_probe(model, profile, cache)

    @classmethod
    def load(cls, models: Path, profile: Profile, *, heat: Path | None = None) -> "Pipeline":
        """Load the parts of a models folder.

        Args:
            models: Folder of the parts `PARTS`.
            profile: The settings they were made with.
            heat: Folder of maps by content; None probes every picture anew.

        Raises:
            WeightsError: If a part is missing, half-written, or made for another base.
        """
        versions = {part: str(read_manifest(models / part)["digest"]) for part in PARTS}
        return cls(
            trained(models, profile),
            load_prompt_classifier(models, profile),
            profile,
            cache=None if heat is None else heat_cache(heat, models, profile),
            versions=versions,
        )

    def identity(self) -> dict[str, Any]:
        """What answers depend on beside image and prompt: digests of weights and settings."""
        return {
            "model": self.versions,
            "profile": {"name": self.profile.name, "digest": profile_digest(self.profile)},
            "prompt_version": PROMPT_VERSION,
        }

    def fit(self, prompt: Prompt) -> Prompt:
        """The prompt in the wording of training, cut to the tokens that the model has room for."""
        framed = self.frame(prompt)
        vlm, config = self.model.vlm, self.profile.predict
        longest = int(vlm.llava.config.text_config.max_position_embeddings)
        visual = (self.profile.vlm.image_px // self.profile.vlm.patch_px) ** 2
        room = longest - visual - max(config.max_new_tokens, config.max_new_tokens_gcg)
        room -= len(vlm.prompt_ids(""))
        n_tokens = len(vlm.ids(framed.text))
        if n_tokens <= room:
            return framed
        words = vlm.ids(prompt.text)  # cut before they are framed, so that the wording stays whole
        kept = room - max(0, n_tokens - len(words))
        text = vlm.decode(words[:kept])
        note = f"The prompt was cut from {n_tokens:,} to {room:,} tokens."
        return self.frame(replace(prompt, text=text, subject=text)).noted(note)

    def frame(self, prompt: Prompt) -> Prompt:
        """The prompt in the wording that training used for its task (`frame_prompt`)."""
        return frame_prompt(prompt, self.classifier.task, self.profile.prompt)

    def prepare(
        self, questions: Sequence[Question], *, arm: Arm = "magcrop"
    ) -> list[PreparedQuestion]:
        """Judge each prompt, probe where its granularity asks for it, and cut views (Eq 2-4)."""
        inputs = ModelInputs(self.profile)
        if arm == "plain":
            return [
                PreparedQuestion(q, None, None, _query(q, inputs.of(q.image, None)))
                for q in questions
            ]
        decisions = self.classifier.granularity([q.prompt.text for q in questions])
        proposals = self._proposals(questions, decisions)
        return [
            PreparedQuestion(
                question,
                decision,
                proposal,
                _query(question, _input(inputs, question, decision, proposal)),
            )
            for question, decision, proposal in zip(questions, decisions, proposals, strict=True)
        ]

    def _proposals(
        self, questions: Sequence[Question], decisions: Sequence[GranularityDecision]
    ) -> list[WindowProposal | None]:
        """Windows where a level is close enough to need one, or a map is known already."""
        requests = {
            i: ProbeRequest(
                image=question.image,
                prompt=question.prompt.text,
                probe_prompt=question.prompt.probe(self.profile.prompt.probe),
                granularity=decision.granularity or Granularity.REGION,
                heat=question.heat,
            )
            for i, (question, decision) in enumerate(zip(questions, decisions, strict=True))
            if question.heat is not None or decision.granularity in _CLOSE
        }
        proposals = dict(zip(requests, self._probe.find(list(requests.values())), strict=True))
        return [proposals.get(i) for i in range(len(questions))]

    def run(self, questions: Sequence[Question], *, arm: Arm = "magcrop") -> list[Outcome]:
        """Answer questions in one batch, in order; all must be as long to answer.

        Args:
            questions: Framed (`fit`), or a record's own (`record_prompt`).
            arm: ``plain`` looks at whole images and asks no probe.

        Raises:
            ValueError: If grounded conversations and other tasks are mixed.
        """
        begun = time.perf_counter()
        prepared = self.prepare(questions, arm=arm)
        looked = (time.perf_counter() - begun) / max(1, len(questions))
        max_new_tokens = self._max_new_tokens(questions)
        through = self.model.answer([p.query for p in prepared], max_new_tokens=max_new_tokens)
        answers = resolve_answers(
            self.model,
            self.profile.magcrop,
            through,
            [p.proposal for p in prepared],
            partial(self._whole, questions),
            max_new_tokens=max_new_tokens,
        )
        return [
            Outcome(one, answer, answer is not seen, {"look": looked, **answer.seconds})
            for one, seen, answer in zip(prepared, through, answers, strict=True)
        ]

    def ask(self, image: RgbImage, prompt: Prompt | str, *, arm: Arm = "magcrop") -> PipelineOutput:
        """Answer one prompt about one picture ``uint8 [H, W, 3]``.

        Args:
            image: The picture.
            prompt: A person's words, which are framed here, or what `fit` made of them.
            arm: As `run`.
        """
        if isinstance(prompt, str):
            prompt = self.fit(read_prompt(prompt))
        (outcome,) = self.run([Question(image, prompt)], arm=arm)
        return self.output(outcome)

    def output(self, outcome: Outcome) -> PipelineOutput:
        """An outcome as what was said and drawn."""
        answer, prepared = outcome.answer, outcome.prepared
        prompt, decision = prepared.question.prompt, prepared.decision
        named = len(answer.phrases) == len(answer.masks)
        phrases = answer.phrases if named else ("",) * len(answer.masks)
        masks = tuple(
            DrawnMask(phrase or prompt.subject, score, mask, probability)
            for phrase, mask, score, probability in zip(
                phrases, answer.masks, answer.mask_scores, answer.mask_probabilities, strict=True
            )
        )
        level = decision.granularity if decision else None
        model_input = prepared.query.model_input
        if outcome.is_plain:
            model_input = plain_input(prepared.question.image, self.profile)
        return PipelineOutput(
            text=answer.text,
            masks=masks,
            granularity="none" if level is None else level.value,
            granularity_confidence=decision.confidence if decision else 1.0,
            crop_boxes=() if outcome.is_plain else prepared.boxes,
            visual_tokens=model_input.n_tokens(self.profile.vlm.patch_px),
            text_confidence=answer.text_score,
            n_incomplete=answer.n_incomplete,
            seconds=dict(outcome.seconds),
            heat=None if prepared.heat is None else prepared.heat.first,
        )

    def _max_new_tokens(self, questions: Sequence[Question]) -> int:
        """Length of an answer: that of a grounded conversation, or of the other tasks."""
        config = self.profile.predict
        kinds = {_is_conversation(question.prompt) for question in questions}
        if len(kinds) > 1:
            raise ValueError("grounded conversations cannot share a batch with other tasks")
        return config.max_new_tokens_gcg if True in kinds else config.max_new_tokens

    def _whole(self, questions: Sequence[Question], index: int) -> Query:
        """The question about the whole image."""
        return _query(questions[index], plain_input(questions[index].image, self.profile))


def _is_conversation(prompt: Prompt) -> bool:
    return is_gcg(prompt.text) if prompt.task is None else prompt.task is Task.GCG


def _input(
    inputs: ModelInputs,
    question: Question,
    decision: GranularityDecision,
    proposal: WindowProposal | None,
) -> ModelInput:
    """What the model is shown; equal inputs of one batch are one object."""
    boxes, heat = (proposal.boxes, proposal.heat) if proposal else ((), None)
    return inputs.of(question.image, decision.granularity, boxes, heat)


def _query(question: Question, model_input: ModelInput) -> Query:
    height, width = question.image.shape[:2]
    return Query(model_input, question.prompt.text, height, width)
