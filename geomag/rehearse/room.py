"""The rehearsal's folder, and what it needs of disk and memory before a byte is written."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from geomag.config.schema import Profile
from geomag.errors import ConfigError, OutputError
from geomag.io import read_json, write_json
from geomag.model.sam2_parts import Sam2Size
from geomag.rehearse.published import VlmFolder
from geomag.rehearse.write import published_shapes

MARKER = "REHEARSAL.json"
_BF16, _FP32 = 2, 4
_ADAPTED = ("q_proj.weight", "v_proj.weight")
_TABLES = ("embed_tokens.weight", "lm_head.weight")
BERT_BYTES = 440_000_000
_PROCESS = 1_500_000_000
"""Torch, transformers, pictures and the activations of one pass, about."""
_STAGES = 2_000_000_000
"""Data, records, adapter, three checkpoints and report, about."""
_SAM2_BYTES = {96: 185_000_000, 112: 325_000_000, 144: 900_000_000}
"""Files of SAM2.1 by the width of the encoder's first stage; tiny and small share theirs."""


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that a rehearsal takes."""

    disk: int
    memory: int
    """Memory of the largest stage, prediction: weights, and those again that an adapter changes."""

    def check(self, out: Path, *, free_memory: int) -> None:
        """Refuse a rehearsal that does not fit.

        Args:
            out: Where it is to lie.
            free_memory: Bytes that the device's memory, or the host's, has free.

        Raises:
            ConfigError: Saying how much is needed and what to change.
        """
        place = next(one for one in (out, *out.resolve().parents) if one.exists())
        free = shutil.disk_usage(place).free
        fewer = "--layers N for less"
        if self.disk > free:
            raise ConfigError(
                str(out),
                f"the rehearsal writes {self.disk / 1e9:.1f} GB, {free / 1e9:.1f} GB are free",
                "room for it",
                f"name another disk with --out, or {fewer}",
            )
        if self.memory > free_memory:
            raise ConfigError(
                "memory",
                f"a stage needs {self.memory / 1e9:.1f} GB, {free_memory / 1e9:.1f} GB are free",
                "room for it",
                f"end other programs, or {fewer}",
            )

    def __str__(self) -> str:
        return f"{self.disk / 1e9:.1f} GB of disk, {self.memory / 1e9:.1f} GB of memory"


def room_for(vlm: VlmFolder, sam2: Sam2Size) -> Room:
    """What the written checkpoints and the stages that load them take."""
    shapes = published_shapes(vlm)
    sizes = {name: _BF16 * _count(shape) for name, shape in shapes.items()}
    total = sum(sizes.values())
    merged = sum(size for name, size in sizes.items() if name.endswith((*_ADAPTED, *_TABLES)))
    encoder = _SAM2_BYTES.get(sam2.embed_dim, 5_000_000)
    return Room(
        disk=total + encoder + BERT_BYTES + _STAGES,
        memory=total + merged + encoder + BERT_BYTES + _PROCESS,
    )


def _count(shape: tuple[int, ...]) -> int:
    product = 1
    for side in shape:
        product *= side
    return product


def take_folder(out: Path, facts: dict[str, object]) -> bool:
    """Make ``out`` ours, or find it so.

    Args:
        out: Empty, absent, or an earlier rehearsal.
        facts: What decides the checkpoints; an earlier rehearsal's are kept if they are equal.

    Returns:
        Whether the checkpoints of an earlier one fit.

    Raises:
        OutputError: If something else lies there.
    """
    marker = out / MARKER
    if out.exists() and not marker.is_file() and (out.is_file() or any(out.iterdir())):
        raise OutputError(
            str(out),
            "there already, and no rehearsal of ours",
            "an empty place, or an earlier rehearsal",
            "name another with --out",
        )
    fits = marker.is_file() and read_json(marker) == facts
    for name in ("data", "artifacts", "work", "mlflow", ".dvc", *(() if fits else ("models",))):
        shutil.rmtree(out / name, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    write_json(marker, facts)
    return fits


def free_memory(profile: Profile) -> int:
    """Bytes free where the profile's models run."""
    if profile.device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    from geomag.train.sources import free_host_bytes

    return free_host_bytes()


def threads() -> int:
    """CPU threads that a stage will take, as its verb decides it."""
    return int(os.environ.get("OMP_NUM_THREADS") or 0) or os.cpu_count() or 1
