"""The rehearsal's own project: settings, checkpoints of random weights, a few drawn records."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from geomag.config import Profile, override, profile_text
from geomag.data.benchmarks import BENCHMARKS, Split, Task, chosen_benchmarks
from geomag.data.benchmarks.table import first_of
from geomag.data.records import Record, read_records, write_records
from geomag.errors import ConfigError
from geomag.io import write_text
from geomag.model.sam2_parts import Sam2Size
from geomag.rehearse.published import (
    BERTS,
    SAM2S,
    VLMS,
    VlmFolder,
    tiny,
    tiny_sam2,
    with_layers,
)
from geomag.rehearse.write import is_written, write_bert, write_sam2, write_vlm
from geomag.sample.layouts import write_all

Layout = TypeVar("Layout")
PROFILE = "rehearsal.yaml"
UPDATES = 3
_LEAST_SCALE = 0.001
"""Scale of the drawn sample: as few pictures as show every split."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What is written for a profile."""

    vlm: VlmFolder
    sam2: Sam2Size
    is_tiny: bool


def parts_of(profile: Profile, *, layers: int = 0, is_tiny: bool = False) -> Parts:
    """The published checkpoints that a profile's paths name.

    Args:
        profile: With paths whose last names are those of the hub.
        layers: Decoder layers; 0: as published.
        is_tiny: The same classes at tiny widths, to try the rehearsal itself.

    Raises:
        ConfigError: If a path names no checkpoint whose sizes we know.
    """
    vlm = _known("vlm.path", profile.vlm.path, VLMS)()
    sam2 = _known("encoder.path", profile.encoder.path, SAM2S)
    text = profile.text_encoder.path
    if is_written(text):
        _known("text_encoder.path", text, dict.fromkeys(BERTS))
    if is_tiny:
        return Parts(tiny(vlm), tiny_sam2(), is_tiny)
    return Parts(with_layers(vlm, layers), sam2, is_tiny)


def rehearsal_profile(
    profile: Profile, parts: Parts, *, records: int, benchmarks: Sequence[str] = ()
) -> Profile:
    """The profile with drawn data, three updates, and a few records of each task.

    What decides time and memory of a record stays: sizes, views, probes, precision, checkpointing.
    """
    device = profile.device
    if device != "cpu":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = [one.name for one in chosen_benchmarks(benchmarks)] if benchmarks else one_a_task()
    batch = min(profile.train.batch, max(2, records))
    sections: dict[str, Any] = {
        "name": f"{profile.name}-rehearsal",
        "device": device,
        "benchmarks": chosen,
        "data": {"source": "sample", "scale": _LEAST_SCALE},
        "train": {"steps": UPDATES, "batch": batch, "micro_batch": batch, "log_every": 1},
        "predict": {"batch": records},
        "score": {"resamples": 20},
        "report": {"gallery": 1},
    }
    if parts.is_tiny:
        sections["vlm"] = {"image_px": parts.vlm.config.vision_config.image_size}
        sections["encoder"] = {
            "image_px": parts.sam2.image_px,
            "neck_width": parts.sam2.neck_width,
        }
        sections["granularity"] = {"epochs": 1}
    return override(profile, **sections)


def one_a_task() -> list[str]:
    """The first benchmark of each task."""
    names = {first_of(task).name for task in Task}
    return [name for name in BENCHMARKS if name in names]


def write_checkpoints(
    root: Path, profile: Profile, parts: Parts, *, log: Callable[[str], None]
) -> None:
    """Write each checkpoint that is not whole yet, below ``root`` where the profile names it."""
    encoder = Path(profile.encoder.path).name
    writers: dict[str, Callable[[Path], None]] = {
        profile.vlm.path: lambda out: write_vlm(out, parts.vlm, profile),
        profile.encoder.path: lambda out: write_sam2(out, parts.sam2, encoder),
        profile.text_encoder.path: lambda out: write_bert(out, is_tiny=parts.is_tiny),
    }
    for path, write in writers.items():
        if is_written(path) and not (root / path).is_dir():
            log(f"writing {path}")
            write(root / path)


def write_project(root: Path, profile: Profile, *, log: Callable[[str], None]) -> None:
    """Settings and drawn records; ``dvc.yaml`` without stages marks the folder as a project."""
    write_text(root / PROFILE, profile_text(profile))
    write_text(root / "params.yaml", f"profile: {PROFILE}\n")
    write_text(root / "dvc.yaml", "stages: {}\n")
    (root / ".dvc").mkdir()
    write_text(root / ".dvc" / "config", "[core]\n    no_scm = True\n    analytics = false\n")
    drawn = write_all(
        root / "data", seed=profile.data.seed, scale=_LEAST_SCALE, benchmarks=profile.benchmarks
    )
    for one in drawn:
        log(f"{one.benchmark}: {sum(one.counts.values())} records drawn")


def keep_few(root: Path, benchmark: str, count: int) -> int:
    """Keep the first records of each split that is used; returns how many are left."""
    path = root / "artifacts" / "records" / benchmark / "records.jsonl"
    spec = BENCHMARKS[benchmark]
    splits = {*spec.test_splits, *((Split.TRAIN,) if spec.trains else ())}
    kept: dict[Split, list[Record]] = {}
    for record in read_records(path, splits=splits):
        if len(kept.setdefault(record.split, [])) < count:
            kept[record.split].append(record)
    return write_records(path, [record for part in kept.values() for record in part])


def _known(setting: str, path: str, layouts: Mapping[str, Layout]) -> Layout:
    name = Path(path).name
    if name not in layouts:
        raise ConfigError(
            setting,
            f"{path!r}, a checkpoint whose sizes are not known here",
            f"a folder named as on the hub: {', '.join(layouts)}",
        )
    return layouts[name]
