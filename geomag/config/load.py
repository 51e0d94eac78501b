"""YAML to `Profile`: parsed once, unknown keys refused with the nearest name, types checked."""

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from geomag.config.faults import config_error
from geomag.config.schema import Profile
from geomag.errors import ConfigError
from geomag.io import value_digest
from geomag.parse import mapping, read_yaml

PROFILES_DIR = Path(__file__).resolve().parent.parent / "profiles"


def project_root(start: Path | None = None) -> Path:
    """The nearest folder upward that holds ``dvc.yaml``, or the working directory."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    return here


def load_profile(name: str | None = None, *, root: Path | None = None) -> Profile:
    """Load a profile by name or by path to a YAML file.

    Without a name: ``GEOMAG_PROFILE``, else ``profile`` of the project's ``params.yaml``, else
    ``sample``.

    Raises:
        ConfigError: Naming the file, the key, what stands there and what may.
    """
    chosen = (
        name
        or os.environ.get("GEOMAG_PROFILE")
        or _profile_of_params(root or project_root())
        or "sample"
    )
    path = Path(chosen) if chosen.endswith((".yaml", ".yml")) else PROFILES_DIR / f"{chosen}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in PROFILES_DIR.glob("*.yaml"))
        raise ConfigError(
            f"profile {chosen!r}",
            f"{path} does not exist",
            f"one of {known}, or a path to a YAML file",
        )
    return parse_profile(read_yaml(path), place=path.name)


def parse_profile(tree: Any, *, place: str) -> Profile:
    """Turn a parsed YAML tree into a checked `Profile`.

    Raises:
        ConfigError: Naming each fault with its section, key, value and what may stand there.
    """
    try:
        return Profile.model_validate(tree)
    except ValidationError as wrong:
        raise config_error(wrong, place) from wrong


def override(profile: Profile, **sections: dict[str, Any]) -> Profile:
    """A copy with some settings changed: ``override(p, train={"steps": 10})``."""
    tree = profile.model_dump()
    for section, values in sections.items():
        if isinstance(values, dict):
            tree[section] = {**tree[section], **values}
        else:
            tree[section] = values
    return parse_profile(tree, place="override")


def profile_digest(profile: Profile, *sections: str) -> str:
    """Digest of the named sections (all when none is named)."""
    tree = profile.model_dump()
    return value_digest({name: tree[name] for name in sections} if sections else tree)


def profile_text(profile: Profile) -> str:
    """The resolved profile as YAML, as every run prints it."""
    tree = profile.model_dump(mode="json")
    return yaml.safe_dump(tree, sort_keys=False, default_flow_style=None, width=100)


def flat_params(profile: Profile) -> dict[str, str | int | float | bool]:
    """Settings as ``section.key: value`` for an experiment tracker."""
    flat: dict[str, str | int | float | bool] = {}
    for section, value in profile.model_dump().items():
        if isinstance(value, dict):
            flat.update(
                {
                    f"{section}.{key}": v if isinstance(v, (str, int, float, bool)) else str(v)
                    for key, v in value.items()
                }
            )
        else:
            flat[section] = value
    return flat


def _profile_of_params(root: Path) -> str | None:
    path = root / "params.yaml"
    if not path.is_file():
        return None
    tree = mapping(read_yaml(path) or {}, str(path), ConfigError)
    return str(tree["profile"]) if "profile" in tree else None
