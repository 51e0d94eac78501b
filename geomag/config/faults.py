"""Faults that pydantic finds in a profile, all of them, in the words of `ConfigError`."""

import difflib
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from geomag.config.renamed import renamed_setting
from geomag.config.rules import SECTIONS, range_in_words, rule
from geomag.config.schema import Profile
from geomag.config.schema.base import Settings
from geomag.errors import ConfigError, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_UNKNOWN = ("extra_forbidden", "invalid_key")
_OUTSIDE = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")
_TYPES = {
    "bool_type": "a value of type bool",
    "float_type": "a value of type float",
    "int_type": "a value of type int",
    "string_type": "a value of type str",
    "tuple_type": "a list",
    "model_type": "a mapping of settings",
}
"""What is wanted, by pydantic's name of the fault that something of another type stands there."""


def config_error(wrong: ValidationError, place: str) -> ConfigError:
    """One error that names every fault of a profile.

    Args:
        wrong: What `Profile.model_validate` raised.
        place: The file, for messages.
    """
    faults = [_fault(one, place) for one in wrong.errors(include_url=False)]
    lines = list(dict.fromkeys(map(str, faults)))  # an empty pair lacks two values: one fault
    if len(lines) == 1:
        return faults[0]
    return ConfigError(place, "\n  ".join([f"{len(lines)} settings are wrong", *lines]))


def _fault(error: "ErrorDetails", place: str) -> ConfigError:
    """One fault, in a section (``train, steps``), of the profile itself (``name``) or of all."""
    path, value, fault = error["loc"], error["input"], error["type"]
    names = [str(part) for part in path if isinstance(part, str)]
    where = ", ".join([place, *map(str, path)])
    if len(names) > 1 and (now := renamed_setting(names[0], names[1], value)) is not None:
        return ConfigError(where, f"{shown(value)}, which has another name now", now)
    if fault in _UNKNOWN:
        within = ", ".join([place, *names[:-1]])
        return ConfigError(f"{within}, key {path[-1]!r}", "unknown setting", _nearest(names))
    if fault in _TYPES:
        return ConfigError(where, f"{shown(value)} of type {type(value).__name__}", _TYPES[fault])
    if fault == "value_error":  # settings that do not go together
        return ConfigError(where, str(error["ctx"]["error"]))
    if fault == "missing" and not isinstance(path[-1], int):
        return ConfigError(where, "missing")
    return _beside_rule(fault, names, value, place) or ConfigError(
        where, shown(value), error["msg"]
    )


def _beside_rule(fault: str, names: list[str], value: Any, place: str) -> ConfigError | None:
    """A value of the right type that the setting's rule excludes; None if it is another fault."""
    kind, where = _kind(names), ", ".join([place, *names])
    allowed = rule(kind, names[-1])
    if fault in _OUTSIDE:
        section = ", ".join([place, *names[:-1]])
        return ConfigError(
            section, f"{'.'.join(names)} must be {range_in_words(allowed)}, got {value}"
        )
    if fault == "literal_error":
        return ConfigError(where, shown(value), f"one of {allowed['enum']}")
    if fault in ("missing", "too_long"):
        return ConfigError(where, f"{len(value)} values", f"{allowed['maxItems']} values")
    return None


def _kind(names: list[str]) -> type[Settings]:
    return SECTIONS[names[0]] if len(names) > 1 else Profile


def _nearest(names: list[str]) -> str:
    known = _kind(names).model_fields
    near = difflib.get_close_matches(names[-1], known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"one of {sorted(known)}"
