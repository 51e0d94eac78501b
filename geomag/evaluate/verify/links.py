"""What may be said of one link of the record: it holds, it is broken here, it is absent and why."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from geomag.errors import GeoMagError

Kind = Literal[
    "lock",
    "data",
    "training",
    "weights",
    "predictions",
    "scores",
    "table",
    "code",
    "settings",
    "runs",
    "registry",
]
"""Kinds of a link in the order of the line, so that the first broken link is the one that broke
the others."""
State = Literal["ok", "broken", "absent"]


@dataclass(frozen=True, slots=True)
class Break:
    """Two ends of a link that differ."""

    place: str
    """File, stage or run."""
    found: str
    wanted: str
    remedy: str

    def __str__(self) -> str:
        return str(GeoMagError(self.place, self.found, self.wanted, self.remedy))


@dataclass(frozen=True, slots=True)
class Absence:
    """One end of a link that is not here, which is no fault."""

    reason: str

    def __str__(self) -> str:
        return self.reason


Finding = Break | Absence


@dataclass(frozen=True, slots=True)
class Link:
    """One kind of link of one cell."""

    kind: Kind
    finding: Finding | None = None

    @property
    def state(self) -> State:
        """``ok`` if nothing speaks against it."""
        if self.finding is None:
            return "ok"
        return "broken" if isinstance(self.finding, Break) else "absent"

    def to_json(self) -> dict[str, Any]:
        """Kind, state and what was found."""
        return {
            "kind": self.kind,
            "state": self.state,
            **(asdict(self.finding) if self.finding else {}),
        }


def link(kind: Kind, findings: Iterable[Finding]) -> Link:
    """The link of a kind: broken by the first break, else absent for all the reasons, else ok.

    >>> link("code", [Absence("no git repository")]).state, link("code", []).state
    ('absent', 'ok')
    """
    reasons = dict[str, None]()  # each once, in order
    for finding in findings:
        if isinstance(finding, Break):
            return Link(kind, finding)
        reasons[finding.reason] = None
    return Link(kind, Absence("; ".join(reasons)) if reasons else None)
