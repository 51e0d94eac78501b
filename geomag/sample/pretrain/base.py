"""The base stage: pin the paper's pretrained weights, or train the sample's tiny ones.

The two tiny models do not meet until the joint training, so they train side by side, a process
and a thread each; the bits do not depend on how many cores there are.
"""

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geomag.config import profile_digest
from geomag.config.schema import Profile
from geomag.errors import ConfigError, ResumeError
from geomag.io import read_jsonl
from geomag.model.pins import pin_base
from geomag.model.sam2_parts import Sam2Parts, normalise, settle_neck
from geomag.model.tokenizer import load_tokenizer, train_tokenizer
from geomag.model.vision import visual_tokens
from geomag.model.vlm import Vlm
from geomag.model.weights import sample_encoder, save_base
from geomag.progress import Lines, show
from geomag.resume import identity_digest
from geomag.sample.pretrain.dense import CATEGORIES, COLOURS, DensePretraining
from geomag.sample.pretrain.reading import Reading
from geomag.sample.pretrain.sam import PointSegmentation
from geomag.sample.pretrain.scenes import BaseScene, corpus, draw_base_scene
from geomag.sample.pretrain.vlm import Lessons, Questions, Recall
from geomag.sample.tiny import tiny_llava
from geomag.train.checkpoint import checkpoint_folder
from geomag.train.loop import LoopSettings, Stopped, train

Log = Callable[[str], None]
TOKENIZER_SCENES = 600
SAM_SCENES = 2400
MEASURED = 32
JOBS = ("vlm", "sam")
METRICS = "metrics.jsonl"
STOPPED, REFUSED = 75, 76
"""Exit codes of a job that saved its state when asked to stop, and of one that may not resume."""


def make_base(
    profile: Profile, out: Path, work: Path, *, code: Mapping[str, str], log: Log
) -> list[dict[str, Any]]:
    """Leave the base models at ``out``; the resumable state goes when they are there.

    Args:
        profile: Pins ``vlm.path`` and ``encoder.path`` if they are set, else trains.
        out: Output folder, replaced in one rename.
        work: Folder of resumable state.
        code: Of the stage (`geomag.versions.code_identity`).
        log: Takes progress lines.

    Returns:
        Metrics by step: ``{"job", "step", ...}``; empty when weights were pinned.

    Raises:
        ConfigError: If one of the two is pinned and the other is not.
        ResumeError: If ``work`` holds what other code has trained of it.
        Stopped: After a signal, with the state saved.
    """
    if profile.vlm.path and profile.encoder.path:
        log(f"pinned {profile.vlm.path} and {profile.encoder.path}: {pin_base(out, profile)}")
        return []
    if profile.vlm.path or profile.encoder.path:
        lacking = "encoder.path" if profile.vlm.path else "vlm.path"
        raise ConfigError(
            lacking, "empty, though the other model is pinned", remedy="pin both, or train both"
        )
    _train_side_by_side(profile, work, code)
    vlm = _untrained_vlm(profile, load_tokenizer(work / "vlm" / "tokenizer"))
    vlm.llava.load_state_dict(torch.load(work / "vlm" / "weights.pt", weights_only=True))
    sam = sample_encoder(profile)
    sam.load_state_dict(torch.load(work / "sam" / "weights.pt", weights_only=True))
    rows = [row for name in JOBS for row in _metrics(work / name)]
    log(f"base models {save_base(out, vlm, sam)}")
    for name in JOBS:
        shutil.rmtree(work / name)
    return rows


def _train_side_by_side(profile: Profile, work: Path, code: Mapping[str, str]) -> None:
    """Run both jobs to their ends, a process each."""
    context = multiprocessing.get_context("spawn")
    refusals = context.SimpleQueue()
    jobs = [
        context.Process(target=_run_job, args=(name, profile, work / name, dict(code), refusals))
        for name in JOBS
    ]
    for job in jobs:
        job.start()
    try:
        while (alive := [job for job in jobs if job.is_alive()]) and refusals.empty():
            connection.wait([job.sentinel for job in alive])
    finally:
        for job in jobs:
            if job.is_alive():
                job.terminate()
            job.join()
    codes = [job.exitcode for job in jobs]
    if REFUSED in codes:
        place, found, wanted = refusals.get()
        remedy = f"go back to that code to resume, or remove {work} to start over"
        raise ResumeError(place, found, wanted, remedy)
    if any(code not in (0, STOPPED) for code in codes):
        raise RuntimeError(f"base training failed with exit codes {codes}; its words are above")
    if any(codes):
        raise Stopped("base training stopped; run again to resume")


def _run_job(
    name: str, profile: Profile, work: Path, code: Mapping[str, str], refusals: Any
) -> None:
    """One process: train one model to the end, or save and leave with `STOPPED`."""
    torch.set_num_threads(1)
    show(Lines())  # two bars of two processes would write over each other
    work.mkdir(parents=True, exist_ok=True)
    try:
        {"vlm": _train_vlm, "sam": _train_sam}[name](profile, work, code)
    except Stopped as stopped:
        print(f"{name}: {stopped}", flush=True)  # noqa: T201 - the process's own last words
        raise SystemExit(STOPPED) from None
    except ResumeError as refused:
        refusals.put((refused.place, refused.found, refused.wanted))
        raise SystemExit(REFUSED) from None


def _metrics(work: Path) -> Iterator[dict[str, Any]]:
    """Rows of a job's phases; of a step that was done again after a stop, the last."""
    for path in sorted(work.glob(f"*-*/{METRICS}")):
        rows = {row["step"]: row for row in read_jsonl(path)}
        yield from ({"job": work.name, **row} for row in rows.values())


@dataclass(frozen=True, slots=True)
class Phase:
    """One job of a base model's training."""

    name: str
    job: Any
    steps: int
    batch: int
    rate: float = 1.0
    """Share of ``base.lr``."""


def _train_vlm(profile: Profile, work: Path, code: Mapping[str, str]) -> None:
    config = profile.base
    side = profile.vlm.image_px
    scenes = [
        draw_base_scene(config.seed, i, vlm_px=side, encoder_px=4 * side // profile.vlm.patch_px)
        for i in range(config.n_scenes)
    ]
    tokenizer = train_tokenizer(corpus(scenes[:TOKENIZER_SCENES]))
    tokenizer.save_pretrained(work / "tokenizer")
    vlm = _untrained_vlm(profile, tokenizer)
    taught: dict[str, Any] = {"alignment": config.alignment, "seed": config.seed}
    lessons = Lessons(vlm, scenes, **taught)
    questions = Questions(vlm, scenes, **taught)
    recall = Recall(vlm, scenes, **taught, gather=questions.gather)
    phases = [
        Phase("look", _dense_vlm(vlm, scenes, config.seed), config.look_steps, 32),
        Phase("read", Reading(vlm, scenes, seed=config.seed), config.read_steps, 128),
        Phase("lessons", lessons, config.steps, config.batch),
        Phase("questions", questions, config.question_steps, config.batch),
        Phase("recall", recall, config.recall_steps, config.batch, rate=0.5),
    ]
    before = ""
    for phase in (phase for phase in phases if phase.steps):
        if phase.job is lessons:
            _name_what_is_seen(vlm)
        before = _fit(phase, profile, work, {**code, "before": before})
    torch.save(vlm.llava.state_dict(), work / "weights.pt")


@torch.no_grad()
def _name_what_is_seen(vlm: Vlm) -> None:
    """Start the output words as the input words: patches point their way already."""
    vlm.llava.lm_head.weight.copy_(vlm.llava.get_input_embeddings().weight)


def _train_sam(profile: Profile, work: Path, code: Mapping[str, str]) -> None:
    config = profile.base
    scenes = [
        draw_base_scene(config.seed + 1, i, vlm_px=32, encoder_px=profile.encoder.image_px)
        for i in range(min(SAM_SCENES, config.n_scenes))
    ]
    sam = sample_encoder(profile)
    look = Phase("look", _dense_sam(sam, scenes, config.seed), config.sam_look_steps, 8)
    before = _fit(look, profile, work, code)
    first = np.stack([scene.segmentation.image for scene in scenes[:MEASURED]])
    settle_neck(sam, normalise(torch.from_numpy(first).permute(0, 3, 1, 2).float() / 255))
    points = PointSegmentation(sam, [s.segmentation for s in scenes], seed=config.seed)
    _fit(Phase("points", points, config.sam_steps, 8), profile, work, {**code, "before": before})
    torch.save(sam.state_dict(), work / "weights.pt")


def _untrained_vlm(profile: Profile, tokenizer: Any) -> Vlm:
    return Vlm(tiny_llava(profile.vlm, tokenizer, seed=profile.base.seed), tokenizer)


def _dense_vlm(vlm: Vlm, scenes: list[BaseScene], seed: int) -> DensePretraining:
    llava = vlm.llava.model
    names = [torch.tensor(vlm.ids(name)) for name in (*CATEGORIES, *COLOURS)]
    table = vlm.llava.get_input_embeddings().weight

    def tower(pixels: Tensor) -> list[Tensor]:
        whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(len(pixels), -1)
        tokens = visual_tokens(llava, pixels, whole)
        grid = round(tokens.shape[1] ** 0.5)
        return [tokens.transpose(1, 2).reshape(len(pixels), -1, grid, grid)]

    unread = f"encoder.layers.{len(llava.vision_tower.encoder.layers) - 1}."
    trainable = {
        name: tensor
        for name, tensor in llava.named_parameters()
        if name.startswith(("vision_tower", "multi_modal_projector"))
        and "post_layernorm" not in name
        and unread not in name
    }
    trainable["words"] = table
    return DensePretraining(
        tower,
        trainable,
        [vlm.width],
        ([s.whole for s in scenes], [s.labels for s in scenes]),
        seed=seed,
        words=lambda: torch.stack([table[ids].mean(0) for ids in names]),
    )


def _dense_sam(sam: Sam2Parts, scenes: list[BaseScene], seed: int) -> DensePretraining:
    trainable = {
        name: tensor
        for name, tensor in sam.image_encoder.named_parameters()
        if "neck.convs.0" not in name  # the coarsest level, which SAM2 drops
    }
    return DensePretraining(
        lambda pixels: sam.raw_pyramid(normalise(pixels)),
        trainable,
        [sam.size.neck_width] * 3,
        ([s.segmentation.image for s in scenes], [s.labels for s in scenes]),
        seed=seed,
    )


def _fit(phase: Phase, profile: Profile, work: Path, inputs: Mapping[str, str]) -> str:
    """One phase with its own checkpoints; a finished phase is only reloaded.

    Args:
        phase: What to train, and how long.
        profile: Settings.
        work: The model's folder of resumable state.
        inputs: The stage's code, and what the phase before returned; a change there starts this
            one afresh.

    Returns:
        A digest of everything that decided the phase's outcome.
    """
    config = profile.base
    settings = LoopSettings(
        steps=phase.steps,
        batch=phase.batch,
        micro_batch=phase.batch,
        lr=phase.rate * config.lr,
        warmup=min(50, max(1, phase.steps // 10)),
        seed=config.seed,
        save_every=config.save_every,
        log_every=max(1, phase.steps // 10),
    )
    section = "vlm" if work.name == "vlm" else "encoder"
    identity = {
        "model": profile_digest(profile, section),
        "scenes": f"{config.n_scenes} of seed {config.seed}",
        "alignment": str(config.alignment),
        "phase": json.dumps({"name": phase.name, **asdict(settings)}),
        **inputs,
    }
    checkpoints = checkpoint_folder(work, phase.name, identity)
    checkpoints.mkdir(exist_ok=True)

    def log(step: int, means: dict[str, float]) -> None:
        row = {"phase": phase.name, "step": step, **{k: round(v, 6) for k, v in means.items()}}
        with (checkpoints / METRICS).open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")

    what = f"{work.name} {phase.name}"
    train(phase.job, settings, checkpoints=checkpoints, identity=identity, log=log, what=what)
    return identity_digest(identity)
