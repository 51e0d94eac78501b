"""The GPU: what the driver shows, whether torch can use it, and whether an update fits on it."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from geomag.config import Profile
from geomag.doctor.finding import Finding, Level
from geomag.errors import GeoMagError
from geomag.io import read_json

MIB = 2**20
DRIVER = Path("/proc/driver/nvidia")
"""Where the kernel's driver says that it is loaded."""
CONTEXT = 600 * MIB
"""What CUDA itself takes of a card before the first tensor, about."""
MARGIN = 1.05
"""The estimate of an update's memory was within 5 % of what an H100 used (docs/performance.md)."""
TEXT_TOKENS = 64
"""Tokens of a prompt and its answer, as `geomag train model` counts them."""


def torch_build(profile: Profile) -> Finding | None:
    """A build of torch that cannot see the GPU beside it; None where there is nothing to say."""
    if not (shutil.which("nvidia-smi") or DRIVER.exists()) or not _is_cpu_build():
        return None
    level = Level.WARN if profile.device == "cpu" else Level.FAIL
    remedy = "install torch from an index of CUDA builds (docs/setup.md, GPUs)"
    return Finding(level, "torch", "a CPU build beside a GPU, which it cannot use", remedy)


def device(profile: Profile) -> Finding:
    """The GPU, asked of the driver, against the memory of one training update."""
    cards = _cards()
    found = ", ".join(f"{name} {mib:,} MiB" for name, mib in cards) or "no GPU"
    if profile.device != "cuda":
        return Finding(Level.OK, "device", f"{os.cpu_count()} cores, {found}")
    if not cards:
        return Finding(Level.FAIL, "device", found, f"profile {profile.name} needs one")
    return card(profile, max(mib for _, mib in cards) * MIB, found)


def card(profile: Profile, n_bytes: int, found: str) -> Finding:
    """Whether one training update fits on a card, by the estimate that the training prints.

    Args:
        profile: With a pretrained VLM; one that is trained here is tiny.
        n_bytes: The card's memory.
        found: The card in words.
    """
    if not profile.vlm.path or profile.vlm.path.startswith("package:"):
        return Finding(Level.OK, "device", found)
    needs = _needs(profile)
    if needs is None:
        said = f"{found}; an update of {profile.vlm.path} is not counted: no LLaVA-1.5-7B"
        return Finding(Level.WARN, "device", said, "the training prints it before the first update")
    config = profile.train
    now = needs[config.micro_batch, config.gradient_checkpointing]
    said = f"{found}; an update needs {now / 1e9:.1f} GB of {n_bytes / 1e9:.1f}"
    if now <= n_bytes:
        return Finding(Level.OK, "device", said)
    return Finding(Level.FAIL, "device", said, _lower(profile, needs, n_bytes))


def _needs(profile: Profile) -> dict[tuple[int, bool], int] | None:
    """Bytes of an update by micro-batch and checkpointing; None for a VLM of other sizes.

    Torch and transformers are imported here and nowhere else in this package.
    """
    from geomag.bench.full_size import full_size, llava_7b
    from geomag.model.footprint import footprint

    if not _has_sizes(Path(profile.vlm.path) / "config.json", llava_7b().text_config):
        return None
    model = full_size(profile)
    trained = list(model.trainable_parameters().values())
    n_tokens = (profile.vlm.image_px // profile.vlm.patch_px) ** 2 + TEXT_TOKENS
    batch = profile.train.batch
    found = {}
    for micro in {profile.train.micro_batch, *(n for n in range(1, batch + 1) if batch % n == 0)}:
        for is_on in (False, True):
            counted = footprint(
                model, trained, micro_batch=micro, n_tokens=n_tokens, checkpointing=is_on
            )
            found[micro, is_on] = CONTEXT + round(MARGIN * counted.total)
    return found


def _has_sizes(path: Path, ours: Any) -> bool:
    """Whether a checkpoint's ``config.json`` says our sizes; what it leaves out, or none, does."""
    try:
        tree: Any = read_json(path) if path.is_file() else {"model_type": "llava"}
        text = tree.get("text_config", {})
        sizes = ("hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size")
        same = all(text.get(size, getattr(ours, size)) == getattr(ours, size) for size in sizes)
        return bool(same and tree.get("model_type") == "llava")
    except (GeoMagError, AttributeError):  # not JSON, or no mapping: `weights` says so
        return False


def _lower(profile: Profile, needs: dict[tuple[int, bool], int], n_bytes: int) -> str:
    """The setting that makes an update fit: checkpointing first, which keeps the micro-batch."""
    config = profile.train
    if needs[config.micro_batch, True] <= n_bytes:
        return "set train.gradient_checkpointing: true"
    smaller = [(micro, is_on) for (micro, is_on), need in needs.items() if need <= n_bytes]
    if not smaller:
        least = min(needs.values())
        return f"a card of {least / 1e9:.0f} GB: less than train.micro_batch: 1 there is not"
    micro, is_on = max(smaller)
    with_it = (
        "" if is_on == config.gradient_checkpointing else " and set gradient_checkpointing: true"
    )
    return f"lower train.micro_batch to {micro}{with_it}"


def _is_cpu_build() -> bool:
    """Whether the installed torch says that it was built without CUDA and ROCm.

    Read from its own ``version.py``: importing torch takes seconds.
    """
    spec = importlib.util.find_spec("torch")
    path = Path(spec.origin).parent / "version.py" if spec and spec.origin else None
    if path is None or not path.is_file():
        return False
    built = dict(re.findall(r"(?m)^(cuda|hip)\b.*= (.+)$", path.read_text(encoding="utf-8")))
    return built.get("cuda") == "None" and built.get("hip", "None") == "None"


def _cards() -> list[tuple[str, int]]:
    """``(name, MiB)`` of each GPU the driver shows."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    done = subprocess.run([tool, *query], capture_output=True, text=True, check=False)
    rows = [line.rsplit(",", 1) for line in done.stdout.splitlines() if "," in line]
    return [(name.strip(), int(float(mib))) for name, mib in rows]
