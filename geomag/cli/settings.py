"""What every verb that runs the model does first: settings, threads, device."""

import os
from pathlib import Path

from geomag.config import Profile, load_profile, project_root
from geomag.errors import ToolError
from geomag.line_profile import line_profile


def prepare(profile: str | None, *, for_line: bool = False) -> tuple[Profile, Path]:
    """Load the profile, set the CPU threads, and check the device; returns it and the root.

    Args:
        profile: What ``--profile`` says.
        for_line: Whether the verb writes under ``artifacts/``, which has one profile.

    Raises:
        ConfigError: If the line has another profile.
        ToolError: If the profile asks for a GPU that is not there.
    """
    import torch

    settings = line_profile(profile) if for_line else load_profile(profile)
    threads = settings.threads or int(os.environ.get("OMP_NUM_THREADS") or 0)
    if threads:
        torch.set_num_threads(threads)
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise ToolError(
            f"profile {settings.name}", "no CUDA device", "one GPU", "use the sample profile"
        )
    return settings, project_root()
