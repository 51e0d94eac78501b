"""The joint training at the paper's settings: samples a second, and memory by micro-batch."""

import gc
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from geomag.bench.gpu.clock import peak_memory
from geomag.bench.gpu.random_model import IMAGE_PX, Scale, profile_of, random_image, random_words
from geomag.bench.gpu.sections import Figures
from geomag.config import Profile, override
from geomag.data.benchmarks import Split, Task
from geomag.data.benchmarks.table import first_of
from geomag.data.records import Record
from geomag.geometry import PixelBox, Rle, encode_mask
from geomag.model.footprint import footprint
from geomag.model.geomag import GeoMag
from geomag.model.model_input import plain_input
from geomag.train.joint import JointTraining
from geomag.train.loop import LoopSettings, train
from geomag.train.model import TEXT_TOKENS
from geomag.train.samples import Sample, asked_together, prepare

UPDATES = 4
"""Updates timed at the paper's batch; the first warms up."""
MICRO = 4
"""Micro-batch of the timed updates, so that later figures compare."""
LARGER = (8, 16, 32)
"""Micro-batches that are tried beside it, an update each, until one does not fit."""

REFERRING, GCG, VQA, ROC, CAPTION = (
    first_of(task).name for task in (Task.REFERRING, Task.GCG, Task.VQA, Task.ROC, Task.CAPTION)
)


def measure_training(figures: Figures, model: GeoMag, scale: Scale) -> None:
    """Samples a second and peak memory without and with gradient checkpointing."""
    profile = profile_of(scale)
    samples = training_samples(model, profile)
    batch, micro = (4, 2) if scale.small else (profile.train.batch, MICRO)
    arms = {"plain": False, "checkpointing": True}
    try:
        for name, is_on in arms.items():
            settings = in_batches(profile, batch, micro, checkpointing=is_on)
            found = one_training(model, settings, samples, updates=UPDATES)
            figures.update({f"{name}_micro_{micro}_{key}": value for key, value in found.items()})
        for name, is_on in arms.items():
            figures[f"{name}_fits"] = fits = [micro]
            for size in (4,) if scale.small else LARGER:
                settings = in_batches(profile, size, size, checkpointing=is_on)
                larger = _if_it_fits(model, settings, samples)
                if larger is None:
                    break
                fits.append(size)
                figures.update(
                    {f"{name}_micro_{size}_{key}": value for key, value in larger.items()}
                )
    finally:
        model.zero_grad(set_to_none=True)
        model.eval().requires_grad_(False)


def in_batches(profile: Profile, batch: int, micro: int, *, checkpointing: bool) -> Profile:
    """The settings with batches of other sizes."""
    sizes = {"batch": batch, "micro_batch": micro, "gradient_checkpointing": checkpointing}
    return override(profile, train=sizes)


def _if_it_fits(
    model: GeoMag, profile: Profile, samples: dict[str, list[Sample]]
) -> Figures | None:
    try:
        return one_training(model, profile, samples, updates=2)
    except torch.OutOfMemoryError:
        pass  # its traceback holds activations: they are given back after this clause
    model.zero_grad(set_to_none=True)
    gc.collect()
    torch.cuda.empty_cache()
    return None


def one_training(
    model: GeoMag, profile: Profile, samples: dict[str, list[Sample]], *, updates: int
) -> Figures:
    """Train by the product's own loop; the fastest update counts, the first left out."""
    config = profile.train
    job = JointTraining.of_samples(model, samples, config, profile.prompt)
    settings = LoopSettings(
        steps=updates, batch=config.batch, micro_batch=config.micro_batch, lr=config.lr,
        warmup=config.warmup, schedule=config.schedule, betas=config.betas,
        weight_decay=config.weight_decay, clip=config.clip, seed=config.seed,
        save_every=updates, log_every=1,
    )  # fmt: skip
    rates: list[float] = []
    losses: list[float] = []

    def note(_update: int, means: dict[str, float]) -> None:
        rates.append(means["updates_per_s"])
        losses.append(means["total"])

    model.train()
    model.vlm.checkpoint_activations(on=config.gradient_checkpointing)
    with tempfile.TemporaryDirectory() as folder:
        highest, _ = peak_memory(
            lambda: train(job, settings, checkpoints=Path(folder), identity={}, log=note),
            model.vlm.device,
        )
    estimate = footprint(
        model,
        job.parameters().values(),
        micro_batch=config.micro_batch,
        n_tokens=(profile.vlm.image_px // profile.vlm.patch_px) ** 2 + TEXT_TOKENS,
        checkpointing=config.gradient_checkpointing,
    )
    return {
        "samples_s": config.batch * max(rates[1:]),
        "peak_gb": highest / 1e9,
        "estimate_gb": estimate.total / 1e9,
        "peak_to_estimate": highest / estimate.total,
        "loss": losses[-1],
    }


def training_samples(model: GeoMag, profile: Profile) -> dict[str, list[Sample]]:
    """Drawn records of every task as the frozen parts see them, by benchmark."""
    found = {}
    for name, records in drawn_records().items():
        seen = [(r, plain_input(random_image(i), profile)) for i, r in enumerate(records)]
        found[name] = list(prepare(model, asked_together(seen)))
    return found


def drawn_records() -> dict[str, list[Record]]:
    """Two records of a benchmark of each trained task, with texts of usual lengths."""
    phrases = tuple(random_words(n, 3) for n in (1, 2, 3))
    described = " ".join(f"{random_words(9, 9)} <p> {phrase} </p> [SEG]" for phrase in phrases)
    record = partial(Record, split=Split.TRAIN, task=Task.CAPTION, width=IMAGE_PX, height=IMAGE_PX)
    kinds = (
        record(
            benchmark=REFERRING, id="", image="", task=Task.REFERRING, text=random_words(4, 8),
            masks=squares(1),
        ),
        record(
            benchmark=GCG, id="", image="", task=Task.GCG, text=described, phrases=phrases,
            masks=squares(3),
        ),
        record(
            benchmark=VQA, id="", image="", task=Task.VQA, text=random_words(5, 8),
            answers=(random_words(6, 1),), kind="presence",
        ),
        record(
            benchmark=ROC, id="", image="", task=Task.ROC,
            boxes=(PixelBox(100.0, 100.0, 300.0, 260.0),), answers=(random_words(7, 2),),
        ),
        record(benchmark=CAPTION, id="", image="", answers=(random_words(8, 12),)),
    )  # fmt: skip
    return {
        kind.benchmark: [replace(kind, id=str(n), image=f"{n}.png") for n in (0, 1)]
        for kind in kinds
    }


def squares(count: int) -> tuple[Rle, ...]:
    """Masks of squares of different sizes and places."""
    masks = [np.zeros((IMAGE_PX, IMAGE_PX), dtype=bool) for _ in range(count)]
    for number, mask in enumerate(masks):
        at, side = 100 + 200 * number, 60 + 40 * number
        mask[at : at + side, at : at + side] = True
    return tuple(encode_mask(mask) for mask in masks)
