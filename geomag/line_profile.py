"""One profile makes all that lies under ``artifacts/``: the one that ``params.yaml`` names.

DVC records a stage's settings from the file of that profile, so a stage that took another one from
the environment would pass its outputs off as the recorded profile's.
"""

import os
from pathlib import Path

from geomag.config import Profile, load_profile, project_root
from geomag.config.load import PROFILES_DIR
from geomag.errors import ConfigError
from geomag.line_choice import refuse_other_benchmarks
from geomag.parse import mapping, read_yaml

VARIABLE = "GEOMAG_PROFILE"


def line_profile(named: str | None = None) -> Profile:
    """Load the profile for a command that writes under ``artifacts/`` of the project.

    Args:
        named: What the command's own ``--profile`` says, if anything.

    Raises:
        ConfigError: If it, or ``GEOMAG_PROFILE``, is another profile than ``params.yaml`` names.
    """
    refuse_other_profile(project_root(), named)
    return load_profile(named)


def refuse_other_profile(root: Path, named: str | None = None) -> None:
    """Hold ``--profile`` and ``GEOMAG_PROFILE`` against the project's ``params.yaml``.

    A folder whose ``params.yaml`` names none is no line, and takes any.

    Raises:
        ConfigError: Naming both profiles; or both choices of benchmarks, if the profile's is
            another than ``params.yaml`` lists.
    """
    params = root / "params.yaml"
    tree = mapping(read_yaml(params) or {}, str(params), ConfigError) if params.is_file() else {}
    if "profile" not in tree:
        return
    line = str(tree["profile"])
    undo = {"--profile": "leave --profile away", VARIABLE: f"unset {VARIABLE}"}
    for place, other in (("--profile", named), (VARIABLE, os.environ.get(VARIABLE))):
        if other and _file(other) != _file(line):
            raise ConfigError(
                f"{place} {other}",
                f"`profile: {line}` in {params}",
                "one profile for everything under artifacts/",
                f"write `profile: {other}` into params.yaml, or {undo[place]}",
            )
    refuse_other_benchmarks(root, line)


def _file(profile: str) -> Path:
    """The file that a profile's name or path means to `load_profile`."""
    is_path = profile.endswith((".yaml", ".yml"))
    return (Path(profile) if is_path else PROFILES_DIR / f"{profile}.yaml").resolve()
