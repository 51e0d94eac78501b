"""YAML to `Profile`: parsed once, unknown keys refused with the nearest name, types checked."""

import difflib
import os
from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from geomag.config.renamed import renamed_setting
from geomag.config.schema import Profile
from geomag.config.schema.checks import check_ranges
from geomag.errors import ConfigError, shown
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
    """Turn a parsed YAML tree into a checked `Profile`."""
    profile = _build(Profile, tree, place)
    assert isinstance(profile, Profile)
    return profile


def override(profile: Profile, **sections: dict[str, Any]) -> Profile:
    """A copy with some settings changed: ``override(p, train={"steps": 10})``."""
    tree = asdict(profile)
    for section, values in sections.items():
        if isinstance(values, dict):
            tree[section] = {**tree[section], **values}
        else:
            tree[section] = values
    return parse_profile(tree, place="override")


def profile_digest(profile: Profile, *sections: str) -> str:
    """Digest of the named sections (all when none is named)."""
    tree = asdict(profile)
    return value_digest({name: tree[name] for name in sections} if sections else tree)


def profile_text(profile: Profile) -> str:
    """The resolved profile as YAML, as every run prints it."""
    tree = {key: _plain(value) for key, value in asdict(profile).items()}
    return yaml.safe_dump(tree, sort_keys=False, default_flow_style=None, width=100)


def flat_params(profile: Profile) -> dict[str, str | int | float | bool]:
    """Settings as ``section.key: value`` for an experiment tracker."""
    flat: dict[str, str | int | float | bool] = {}
    for section, value in asdict(profile).items():
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


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _build(cls: type, tree: Any, place: str) -> Any:
    if not isinstance(tree, dict):
        raise ConfigError(place, shown(tree), "a mapping of settings")
    hints = get_type_hints(cls)
    known = {f.name: f for f in fields(cls)}
    values: dict[str, Any] = {}
    for key, value in tree.items():
        now = renamed_setting(place.rpartition(", ")[2], str(key), value)
        if now is not None:
            raise ConfigError(f"{place}, {key}", f"{shown(value)}, which has another name now", now)
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            raise ConfigError(
                f"{place}, key {key!r}",
                "unknown setting",
                f"did you mean {near[0]!r}?" if near else f"one of {sorted(known)}",
            )
        values[key] = _convert(hints[key], value, f"{place}, {key}")
    for key, info in known.items():
        if key not in values and info.default is MISSING and info.default_factory is MISSING:
            raise ConfigError(f"{place}, {key}", "missing")
    try:
        check_ranges("" if cls is Profile else place.rpartition(", ")[2], cls, values)
        return cls(**values)
    except ValueError as wrong:
        raise ConfigError(place, str(wrong)) from wrong


def _convert(hint: Any, value: Any, place: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, place)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value not in args:
            raise ConfigError(place, shown(value), f"one of {list(args)}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(place, shown(value), "a list")
        kinds = [args[0]] * len(value) if len(args) == 2 and args[1] is Ellipsis else list(args)
        if len(kinds) != len(value):
            raise ConfigError(place, f"{len(value)} values", f"{len(kinds)} values")
        return tuple(_convert(kind, item, place) for kind, item in zip(kinds, value, strict=True))
    if isinstance(hint, UnionType):
        return (
            None
            if value is None
            else _convert(next(a for a in args if a is not type(None)), value, place)
        )
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(
            place,
            f"{shown(value)} of type {type(value).__name__}",
            f"a value of type {hint.__name__}",
        )
    return value
