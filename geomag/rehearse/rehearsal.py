"""The rehearsal from its folder to its figures: `geomag rehearse`."""

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from geomag.config import Profile
from geomag.io import write_json
from geomag.rehearse.line import Done, Runner, in_a_process, run_steps
from geomag.rehearse.project import (
    parts_of,
    rehearsal_profile,
    write_checkpoints,
    write_project,
)
from geomag.rehearse.projection import Projected, project, tokens_per_second
from geomag.rehearse.room import free_memory, room_for, take_folder, threads

FIGURES = "rehearsal.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to rehearse."""

    layers: int = 0
    """Decoder layers of the language model; 0: as published."""
    records: int = 2
    """Records of each split of each benchmark."""
    benchmarks: tuple[str, ...] = ()
    """Empty: one of each task."""
    is_tiny: bool = False
    """The same classes at tiny widths, to try the rehearsal itself."""


def rehearse(
    profile: Profile,
    out: Path,
    asked: Asked,
    *,
    log: Callable[[str], None],
    run: Runner = in_a_process,
) -> dict[str, Any]:
    """Run the whole line at real size in ``out``; returns the figures, written there as JSON.

    Figures are written after every stage, so that what has ended is known however it ends.

    Args:
        profile: Which one; its settings stay where they decide time or memory of a record.
        out: Empty or absent, or an earlier rehearsal, whose checkpoints are used again.
        asked: How much.
        log: Takes progress lines.
        run: Runs a verb.

    Raises:
        ConfigError: If disk or memory do not suffice, or a checkpoint's sizes are not known.
        OutputError: If something else lies in ``out``.
        ToolError: If a stage fails.
    """
    parts = parts_of(profile, layers=asked.layers, is_tiny=asked.is_tiny)
    own = rehearsal_profile(profile, parts, records=asked.records, benchmarks=asked.benchmarks)
    room = room_for(parts.vlm, parts.sam2)
    log(f"needs {room}")
    room.check(out, free_memory=free_memory(own))
    layers = parts.vlm.config.text_config.num_hidden_layers
    facts: dict[str, object] = {
        "profile": profile.name,
        "layers": layers,
        "tiny": asked.is_tiny,
        "paths": [profile.vlm.path, profile.encoder.path, profile.text_encoder.path],
        "n_seg": profile.adapter.n_seg,
    }
    take_folder(out, facts)
    write_checkpoints(out, own, parts, log=log)
    write_project(out, own, log=log)
    done: list[Done] = []
    for one in run_steps(out, own, records=asked.records, run=run, log=log):
        done.append(one)
        log(line_of(one))
        figures = figures_tree(profile, own, layers, done)
        write_json(out / FIGURES, figures)
    log("\n".join(table(figures, project(profile, done))))
    return figures


def figures_tree(
    profile: Profile, own: Profile, layers: int, done: Sequence[Done]
) -> dict[str, Any]:
    """Everything measured and projected, as JSON has it."""
    projected = list(project(profile, done))
    return {
        "profile": profile.name,
        "layers": layers,
        "device": own.device,
        "machine": {"processor": platform.processor() or platform.machine(), "threads": threads()},
        "stages": [
            {
                "stage": one.step.name,
                "records": one.records,
                "work_s": one.figures.work_s,
                **asdict(one.figures),
            }
            for one in done
        ],
        "positions_per_s": tokens_per_second(done),
        "projected": [{**asdict(one), "hours": one.hours} for one in projected],
        "projected_hours": sum(one.hours for one in projected),
    }


def line_of(done: Done) -> str:
    """One stage that has ended, in a line."""
    figures = done.figures
    memory = f"{figures.peak_host_bytes / 1e9:.1f} GB"
    if figures.peak_gpu_bytes:
        memory += f", GPU {figures.peak_gpu_bytes / 1e9:.1f} GB"
    each = f", {figures.work_s / done.records:.2f} s a record" if done.records else ""
    return (
        f"  {done.step.name:<32}{figures.seconds:>8.1f} s, of it set-up {figures.set_up_s:.1f} s"
        f"{each}; {memory}"
    )


def table(figures: dict[str, Any], projected: Iterator[Projected]) -> Iterator[str]:
    """What it came to: speed, and the full line's hours stage by stage."""
    speeds = figures["positions_per_s"]
    words = {"read": "read", "write": "written", "train": "read in training", "text": "by BERT"}
    said = [
        f"{speeds[kind]:,.1f} tokens/s {name}" for kind, name in words.items() if kind in speeds
    ]
    if "encode" in speeds:
        said.append(f"{speeds['encode']:.2f} images/s by SAM2")
    yield f"{figures['profile']}, {figures['layers']} layers, {figures['device']}: " + ", ".join(
        said
    )
    yield f"the full line on this machine, {figures['projected_hours']:,.1f} h projected:"
    for one in projected:
        count = f"{one.records:>10,} x {one.per_record_s:.3f} s" if one.records else " " * 22
        yield f"  {one.stage:<34}{count:<24}{one.hours:>10,.2f} h"
