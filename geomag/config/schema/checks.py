"""Ranges of settings: each number is annotated with one, and none outside it is taken."""

from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from annotated_types import Interval

POSITIVE = Interval(gt=0)
NOT_NEGATIVE = Interval(ge=0)
SHARE = Interval(ge=0, le=1)
PORTION = Interval(gt=0, le=1)
"""A share that is not nothing."""
SCALE = Interval(gt=0, le=20)
HASH_BITS = Interval(ge=0, le=127)
TOKENS = Interval(ge=1, le=512)
"""As many as BERT has places for."""
DECIMALS = Interval(ge=1, le=6)

LEAST_BUDGET = 16
"""Visual tokens with which the whole image, C_1 and C_2 get at least one each."""


def range_of(hint: Any) -> Interval | None:
    """The range that a field's type is annotated with; None if there is none."""
    if get_origin(hint) is not Annotated:
        return None
    return next((one for one in get_args(hint)[1:] if isinstance(one, Interval)), None)


def check_ranges(section: str, kind: type, values: Mapping[str, Any]) -> None:
    """Look at every number of a section, and at every item of a tuple of them.

    Args:
        section: Its name; empty for the profile itself.
        kind: Its class, whose fields are annotated.
        values: Settings by name.

    Raises:
        ValueError: Naming the first setting outside its range, the range, and the value.
    """
    hints = get_type_hints(kind, include_extras=True)
    for name, value in values.items():
        interval = range_of(hints[name])
        for one in value if isinstance(value, tuple) else (value,):
            if interval is not None and not _holds(interval, one):
                where = f"{section}.{name}" if section else name
                raise ValueError(f"{where} must be {in_words(interval)}, got {one}")


def in_words(interval: Interval) -> str:
    """A range as messages and pages say it.

    >>> in_words(POSITIVE), in_words(SHARE), in_words(PORTION)
    ('> 0', 'in [0, 1]', 'in (0, 1]')
    """
    if interval.le is None:
        return f"> {interval.gt}" if interval.gt is not None else f">= {interval.ge}"
    least = f"({interval.gt}" if interval.gt is not None else f"[{interval.ge}"
    return f"in {least}, {interval.le}]"


def _holds(interval: Interval, value: Any) -> bool:
    above = value > interval.gt if interval.gt is not None else value >= interval.ge
    return bool(above and (interval.le is None or value <= interval.le))


def token_budget(section: str, **values: int) -> None:
    """Raise ValueError unless every view can have a token within each value."""
    for name, value in values.items():
        if value < LEAST_BUDGET:
            raise ValueError(
                f"{section}.{name} {value} leaves a view without a token: at least {LEAST_BUDGET}"
            )
