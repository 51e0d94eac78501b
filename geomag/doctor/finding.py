"""One line of `geomag doctor`."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    """The chosen profile cannot run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what is there, and what to do about it."""

    level: Level
    what: str
    found: str
    remedy: str = ""
