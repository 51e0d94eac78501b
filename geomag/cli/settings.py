"""What every verb that runs the model does first: settings, threads, device."""

import os
from pathlib import Path

from geomag.config import Profile, load_profile, project_root
from geomag.errors import ToolError


def prepare(profile: str | None) -> tuple[Profile, Path]:
    """Load the profile, set the CPU threads, and check the device; returns it and the root.

    Raises:
        ToolError: If the profile asks for a GPU that is not there.
    """
    import torch

    settings = load_profile(profile)
    threads = settings.threads or int(os.environ.get("OMP_NUM_THREADS") or 0)
    if threads:
        torch.set_num_threads(threads)
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise ToolError(
            f"profile {settings.name}", "no CUDA device", "one GPU", "use the sample profile"
        )
    return settings, project_root()
