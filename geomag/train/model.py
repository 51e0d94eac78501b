"""The train stage: all training benchmarks, jointly, to ``adapter`` and ``decoder``."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from geomag.config import profile_digest
from geomag.config.schema import Profile, TrainConfig
from geomag.data.benchmarks import (
    BENCHMARKS,
    Benchmark,
    chosen_benchmarks,
)
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
from geomag.train.inputs import planned_samples
from geomag.train.joint import JointTraining
from geomag.train.loop import LoopSettings, train
from geomag.train.side_by_side import processes_for
from geomag.train.sources import HeldSamples, Planned, RowSource, build_source, free_host_bytes
from geomag.versions import path_md5

TEXT_TOKENS = 64
"""Tokens of a prompt and its answer, for the memory estimate."""


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
    planned = all_planned(model, profile, data=data, artifacts=artifacts, log=log)
    source = build_source(planned, log=log)
    job = JointTraining(model, source, profile.train)
    _check_memory(model, job.parameters(), profile, root, log)
    model.train()
    model.vlm.checkpoint_activations(on=profile.train.gradient_checkpointing)
    settings = _loop_settings(profile.train, source, model.vlm.device)
    train(job, settings, checkpoints=checkpoints, identity=inputs, log=on_metrics)
    digests = save_trained(model.eval(), artifacts / "models", profile)
    shutil.rmtree(checkpoints)
    return digests


def _check_memory(
    model: GeoMag,
    trained: Mapping[str, torch.Tensor],
    profile: Profile,
    root: Path,
    log: Callable[[str], None],
) -> None:
    """Say what an update will take, and refuse what does not fit into memory or on disk."""
    estimate = footprint(
        model,
        trained.values(),
        micro_batch=profile.train.micro_batch,
        n_tokens=(profile.vlm.image_px // profile.vlm.patch_px) ** 2 + TEXT_TOKENS,
        checkpointing=profile.train.gradient_checkpointing,
    )
    log(str(estimate))
    estimate.check(free=_free_bytes(model.vlm.device), free_on_disk=shutil.disk_usage(root).free)


def _loop_settings(config: TrainConfig, source: RowSource, device: torch.device) -> LoopSettings:
    """The loop's settings; processes stand side by side where the samples are held in memory."""
    is_held = isinstance(source, HeldSamples)  # a stream's own workers are the others
    n_micro = config.batch // config.micro_batch
    return LoopSettings(
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
        processes=processes_for(n_micro, device) if is_held else 1,
    )


def _free_bytes(device: torch.device) -> int:
    """Memory that is free where the model trains."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_host_bytes()


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


def all_planned(
    model: GeoMag, profile: Profile, *, data: Path, artifacts: Path, log: Callable[[str], None]
) -> Planned:
    """What each benchmark trains on and how it is seen; no image is read."""
    samples, heat = {}, {}
    for benchmark in chosen_benchmarks(profile.benchmarks):
        if not benchmark.trains:
            continue
        path = artifacts / "records" / benchmark.name / "records.jsonl"
        records = training_records(benchmark, path, profile.train)
        heat[benchmark.name] = stored_heat(benchmark, profile, artifacts)
        samples[benchmark.name] = planned_samples(benchmark, records, profile, heat[benchmark.name])
        log(f"{benchmark.name}: {len(records)} training records")
    return Planned(model, profile, data, samples, heat)


def stored_heat(benchmark: Benchmark, profile: Profile, artifacts: Path) -> Mapping[str, Heat]:
    """Maps that training looks through, which these weights and settings must have made."""
    if not benchmark.crops or not looks_through_eq4(profile):
        return {}
    facts = heat_facts(artifacts / "models", profile)
    return HeatStore(artifacts / "crops" / benchmark.name, facts)
