"""The train stage: all training benchmarks, jointly, to ``adapter`` and ``decoder``."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, groupby
from pathlib import Path

import torch

from geomag.config import profile_digest
from geomag.config.schema import Profile
from geomag.data.benchmarks import (
    BENCHMARKS,
    Benchmark,
    Granularity,
    Task,
    chosen_benchmarks,
)
from geomag.data.by_image import image_parts
from geomag.data.records import Record
from geomag.data.selection import looks_through_eq4, training_records
from geomag.inference.probing import heat_facts
from geomag.io import file_digest, value_digest
from geomag.magcrop.crops import Heat, HeatStore
from geomag.manifest import read_manifest
from geomag.model.assemble import save_trained, untrained
from geomag.model.footprint import footprint
from geomag.model.geomag import GeoMag
from geomag.seeds import seed_of
from geomag.train.checkpoint import checkpoint_folder, latest_checkpoint
from geomag.train.inputs import record_inputs
from geomag.train.joint import JointTraining
from geomag.train.loop import LoopSettings, train
from geomag.train.samples import Sample, Seen, asked_together, prepare
from geomag.train.side_by_side import forked_map, processes_for
from geomag.train.windows import drawn_looks
from geomag.versions import path_md5

AT_A_TIME = 64
"""Records whose images are in memory."""
TEXT_TOKENS = 64
"""Of a prompt and its answer, for the memory estimate."""


def train_model(
    profile: Profile,
    root: Path,
    *,
    inputs: Mapping[str, str],
    log: Callable[[str], None],
    on_metrics: Callable[[int, dict[str, float]], None],
) -> dict[str, str]:
    """Train and leave ``artifacts/models/adapter`` and ``decoder``; returns their digests.

    The resumable state goes when they are there: a stage that runs again trains again.

    Args:
        profile: All settings; ``train.arm: plain`` trains without MagCrop.
        root: Project root: ``data``, ``artifacts`` and, for resumable state, ``work``.
        inputs: All that decides the weights (`identity`); state of others is not resumed.
        log: Takes progress lines.
        on_metrics: Takes (updates done, means).
    """
    data, artifacts = root / "data", root / "artifacts"
    checkpoints = _checkpoints(root, inputs)
    torch.manual_seed(seed_of(profile.train.seed, "fresh parts"))
    model = untrained(artifacts / "models", profile)
    samples = all_samples(model, profile, data=data, artifacts=artifacts, log=log)
    job = JointTraining(model, samples, profile.train)
    config = profile.train
    n_tokens = (profile.vlm.image_px // profile.vlm.patch_px) ** 2 + TEXT_TOKENS
    trained = job.parameters().values()
    estimate = footprint(
        model,
        trained,
        micro_batch=config.micro_batch,
        n_tokens=n_tokens,
        checkpointing=config.gradient_checkpointing,
    )
    log(str(estimate))
    settings = LoopSettings(
        steps=config.steps,
        batch=config.batch,
        micro_batch=config.micro_batch,
        lr=config.lr,
        warmup=config.warmup,
        schedule=config.schedule,
        betas=config.betas,
        weight_decay=config.weight_decay,
        clip=config.clip,
        seed=config.seed,
        save_every=config.save_every,
        log_every=config.log_every,
        processes=processes_for(config.batch // config.micro_batch, model.vlm.device),
    )
    model.train()
    model.vlm.checkpoint_activations(on=config.gradient_checkpointing)
    train(job, settings, checkpoints=checkpoints, identity=inputs, log=on_metrics)
    digests = save_trained(model.eval(), artifacts / "models")
    shutil.rmtree(checkpoints)
    return digests


def identity(profile: Profile, root: Path, code: Mapping[str, str]) -> dict[str, str]:
    """All that decides the weights, as digests that a checkpoint must share to be resumed.

    Args:
        profile: All settings.
        root: Project root; every file of the benchmarks that train is read.
        code: Of the stage (`geomag.versions.code_identity`).
    """
    data, artifacts = root / "data", root / "artifacts"
    names = [b.name for b in chosen_benchmarks(profile.benchmarks) if b.trains]
    records = [file_digest(artifacts / "records" / n / "records.jsonl") for n in names]
    maps = [
        file_digest(artifacts / "crops" / n / "heatmaps.npz") for n in names if BENCHMARKS[n].crops
    ]
    return {
        "settings": profile_digest(profile),
        "base": read_manifest(artifacts / "models" / "base")["digest"],
        "data": value_digest([path_md5(data / name) for name in names]),
        "records": value_digest(records),
        "heatmaps": value_digest(maps),
        **code,
    }


def has_checkpoint(root: Path, inputs: Mapping[str, str]) -> bool:
    """Whether `train_model` would go on from a checkpoint.

    Raises:
        ResumeError: If other code has trained on the same settings and data.
    """
    return latest_checkpoint(_checkpoints(root, inputs)) is not None


def _checkpoints(root: Path, inputs: Mapping[str, str]) -> Path:
    return checkpoint_folder(root / "work" / "train", "joint", inputs)


def all_samples(
    model: GeoMag, profile: Profile, *, data: Path, artifacts: Path, log: Callable[[str], None]
) -> dict[str, list[Sample]]:
    """What each benchmark trains on, as the frozen parts see it; a part of it at a time."""
    records = {
        benchmark.name: training_records(
            benchmark, artifacts / "records" / benchmark.name / "records.jsonl", profile.train
        )
        for benchmark in chosen_benchmarks(profile.benchmarks)
        if benchmark.trains
    }
    heat = {name: stored_heat(BENCHMARKS[name], profile, artifacts) for name in records}
    parts = [
        (name, part) for name, rows in records.items() for part in image_parts(rows, AT_A_TIME)
    ]

    def make(part: tuple[str, list[Record]]) -> list[Sample]:
        name, rows = part
        benchmark = BENCHMARKS[name]
        seen = training_looks(benchmark, rows, profile, data=data, heat=heat[name])
        return list(prepare(model, seen))

    made = zip(
        parts,
        forked_map(make, parts, processes=processes_for(len(parts), model.vlm.device)),
        strict=True,
    )
    samples: dict[str, list[Sample]] = {}
    for name, of_one in groupby(made, key=lambda pair: pair[0][0]):
        samples[name] = [sample for _, seen in of_one for sample in seen]
        log(f"{name}: {len(records[name])} training records, {len(samples[name])} looks")
    return samples


def stored_heat(benchmark: Benchmark, profile: Profile, artifacts: Path) -> Mapping[str, Heat]:
    """Maps that training looks through, which these weights and settings must have made."""
    if not benchmark.crops or not looks_through_eq4(profile):
        return {}
    facts = heat_facts(artifacts / "models", profile)
    return HeatStore(artifacts / "crops" / benchmark.name, facts)


def training_looks(
    benchmark: Benchmark,
    records: list[Record],
    profile: Profile,
    *,
    data: Path,
    heat: Mapping[str, Heat],
) -> Iterator[Seen]:
    """Training records as they are seen: whole, through the probe's windows, or as `drawn`.

    Args:
        benchmark: Of all of them.
        records: Those of an image in a row.
        profile: Arm, windows, view and sides.
        data: Folder of the benchmarks.
        heat: `stored_heat`.
    """
    level, root = benchmark.granularity, data / benchmark.name
    whole = zip(
        records,
        record_inputs(records, root=root, heat={}, granularity=None, profile=profile),
        strict=True,
    )
    if profile.train.arm == "plain" or benchmark.task is Task.GCG:
        return asked_together(whole)
    is_drawn = profile.train.windows == "drawn" and level is not Granularity.IMAGE
    if is_drawn and benchmark.task is Task.REFERRING:
        drawn = drawn_looks(records, root=root, granularity=level, profile=profile)
        return asked_together(chain(whole, drawn))
    if is_drawn and not looks_through_eq4(profile):
        return asked_together(whole)
    model_inputs = record_inputs(records, root=root, heat=heat, granularity=level, profile=profile)
    found = zip(records, model_inputs, strict=True)
    return asked_together(chain(whole, found) if is_drawn else found)
