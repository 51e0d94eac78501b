"""Stage 1 of a composed VLM: its projector, alone, learns to say captions (Liu et al. 2023, LLaVA).

The language model and the vision encoder stay as they came. What the encoder sees is computed
once; an update is a few images with all their captions, an image and its captions in one row.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geomag.config import profile_digest
from geomag.config.schema import Profile
from geomag.data.benchmarks import Split, Task, chosen_benchmarks
from geomag.data.benchmarks.table import first_of
from geomag.data.images import read_rgb
from geomag.data.prompts import EVALUATION
from geomag.data.records import Record, read_records
from geomag.errors import AnnotationError
from geomag.io import file_digest, value_digest
from geomag.magcrop.views import ImageView
from geomag.model.compose import compose
from geomag.model.packing import PackedQuestion, QuestionIds, pack_questions
from geomag.model.vision import cut, tower_features
from geomag.model.vlm import Vlm
from geomag.model.weights import device_of, save_composed
from geomag.seeds import generator
from geomag.train.checkpoint import checkpoint_folder
from geomag.train.loop import LoopSettings, train
from geomag.train.losses import answer_loss
from geomag.train.side_by_side import processes_for
from geomag.versions import path_md5

ENCODE_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Captioned:
    """An image as the encoder sees it, and what people said about it."""

    features: Tensor
    """``[n, C]``."""
    captions: tuple[str, ...]


class ProjectorPretraining:
    """Job: say the captions of an image from what the encoder sees of it."""

    def __init__(self, vlm: Vlm, images: Sequence[Captioned], *, seed: int) -> None:
        self._vlm, self._images, self._seed = vlm, images, seed
        self._ids = QuestionIds(vlm)

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self._vlm.device

    def parameters(self) -> dict[str, Tensor]:
        """Trainable tensors of the projector by name."""
        named = self._vlm.llava.model.multi_modal_projector.named_parameters()
        return {name: tensor.requires_grad_(True) for name, tensor in named}

    def batch(self, update: int, size: int) -> list[Captioned]:
        """Images of an update; every image is seen before one is seen again."""
        order: list[int] = []
        epoch, start = divmod(update * size, len(self._images))
        while len(order) < start + size:
            rng = generator(self._seed, "projector", epoch)
            order += rng.permutation(len(self._images)).tolist()
            epoch += 1
        return [self._images[i] for i in order[start : start + size]]

    def losses(
        self, samples: Sequence[Captioned], update: Sequence[Captioned]
    ) -> dict[str, Tensor]:
        """Cross-entropy of all captions, the mean over the update's tokens."""
        vlm = self._vlm
        together = pack_questions(
            vlm,
            self._ids.head,
            [vlm.project(one.features.to(vlm.device).float()) for one in samples],
            [self._questions(one) for one in samples],
        )
        states = vlm.states(together.packed)
        mean = answer_loss(vlm.answer_logits(states, together.packed), together.packed)
        loss = mean * (self._n_tokens(samples) / self._n_tokens(update))
        return {"total": loss, "ce": loss}

    def _questions(self, one: Captioned) -> list[PackedQuestion]:
        return [self._ids.question(EVALUATION[Task.CAPTION], text) for text in one.captions]

    def _n_tokens(self, images: Sequence[Captioned]) -> int:
        return sum(len(question.answer) for one in images for question in self._questions(one))


def caption_records(artifacts: Path, profile: Profile) -> dict[str, list[Record]]:
    """Training captions by benchmark, of those whose records are there.

    Raises:
        AnnotationError: If there is no caption to train on.
    """
    found = {}
    for benchmark in chosen_benchmarks(profile.benchmarks):
        path = artifacts / "records" / benchmark.name / "records.jsonl"
        if benchmark.task is Task.CAPTION and path.is_file():
            found[benchmark.name] = list(read_records(path, splits=[Split.TRAIN]))
    if not any(found.values()):
        raise AnnotationError(
            str(artifacts / "records"),
            "no training captions",
            "records of a caption benchmark, which teach the projector",
            f"run `geomag data validate {first_of(Task.CAPTION).name}` first",
        )
    return found


@torch.no_grad()
def captioned(vlm: Vlm, records: Sequence[Record], root: Path, side_px: int) -> list[Captioned]:
    """Each record's image through the encoder, whole, in half precision on the CPU."""
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    seen: list[Captioned] = []
    for start in range(0, len(records), ENCODE_AT_ONCE):
        part = records[start : start + ENCODE_AT_ONCE]
        images = [torch.from_numpy(np.asarray(read_rgb(root / r.image))) for r in part]
        pixels = torch.stack([cut(image, ImageView(None, side_px)) for image in images]).to(
            vlm.device
        )
        boxes = whole.expand(len(part), -1).to(vlm.device)
        features = tower_features(vlm.llava.model, pixels, boxes).half().cpu()
        seen += [Captioned(f.clone(), r.answers) for f, r in zip(features, part, strict=True)]
    return seen


def make_composed_base(
    profile: Profile,
    out: Path,
    work: Path,
    *,
    root: Path,
    code: Mapping[str, str],
    log: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Join the two parts that the profile names, teach the projector, and leave them at ``out``.

    Args:
        profile: ``vlm.language`` and ``vlm.vision``; ``base.projector_*`` for the training.
        out: Output folder, replaced in one rename.
        work: Folder of resumable state.
        root: Project root, where validated records of a caption benchmark and its pictures lie.
        code: Of the stage (`geomag.versions.code_identity`).
        log: Takes progress lines.

    Returns:
        Metrics by step: ``{"job", "phase", "step", ...}``.

    Raises:
        AnnotationError: If there are no captions to train on.
        Stopped: After a signal, with the state saved.
    """
    artifacts = root / "artifacts"
    by_name = caption_records(artifacts, profile)
    vlm = compose(profile).requires_grad_(False).to(device_of(profile))
    log(f"composed {profile.vlm.language} and {profile.vlm.vision}")
    images = [
        one
        for name, rows in by_name.items()
        for one in captioned(vlm, rows, root / "data" / name, profile.vlm.image_px)
    ]
    log(f"projector: {len(images)} images, {sum(len(i.captions) for i in images)} captions")
    job = ProjectorPretraining(vlm, images, seed=profile.base.seed)
    files = [file_digest(artifacts / "records" / name / "records.jsonl") for name in by_name]
    pictures = [path_md5(root / "data" / name) for name in by_name]
    inputs = {**code, "records": value_digest(files), "data": value_digest(pictures)}
    rows = _fit(job, profile, work, inputs)
    log(f"base models {save_composed(out, vlm.cpu(), profile)}")
    shutil.rmtree(work, ignore_errors=True)  # there is none without an update
    return rows


def _fit(
    job: ProjectorPretraining,
    profile: Profile,
    work: Path,
    inputs: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Train the projector, resumably; ``inputs`` are code, records and pictures it learns from."""
    config = profile.base
    micro = max(1, config.projector_batch // 2)  # two side by side where there are two cores
    settings = LoopSettings(
        steps=config.projector_steps,
        batch=config.projector_batch,
        micro_batch=micro,
        lr=config.projector_lr,
        warmup=max(1, config.projector_steps // 20),
        schedule="cosine",
        seed=config.seed,
        save_every=config.save_every,
        log_every=max(1, config.projector_steps // 20),
        processes=processes_for(config.projector_batch // micro, job.device),
    )
    identity = {"model": profile_digest(profile, "vlm", "base"), **inputs}
    rows: list[dict[str, Any]] = []

    def on_metrics(step: int, means: dict[str, float]) -> None:
        rows.append({"job": "vlm", "phase": "projector", "step": step, **means})

    checkpoints = checkpoint_folder(work, "projector", identity)
    train(
        job,
        settings,
        checkpoints=checkpoints,
        identity=identity,
        log=on_metrics,
        what="projector",
    )
    return rows
