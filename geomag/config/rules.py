"""What each setting may be, from the schema alone, in the words of messages and of the docs."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from geomag.config.schema import Profile
from geomag.config.schema.base import Settings

SECTIONS: Mapping[str, type[Settings]] = {
    name: field.annotation
    for name, field in Profile.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Settings)
}
"""Class of each section of a profile."""


def rule(kind: type[Settings], name: str) -> Mapping[str, Any]:
    """JSON Schema of one setting: its type, default, description, and what its values may be."""
    found: Mapping[str, Any] = _schema(kind)["properties"][name]
    return found


@cache
def _schema(kind: type[Settings]) -> Mapping[str, Any]:
    return kind.model_json_schema()


def item_rule(of: Mapping[str, Any]) -> Mapping[str, Any]:
    """JSON Schema of what a list holds; of anything else, that itself."""
    found: Mapping[str, Any] = of.get("items") or next(iter(of.get("prefixItems", ())), of)
    return found


def range_in_words(of: Mapping[str, Any]) -> str:
    """The range of a number, or of the numbers of a list; empty where there is none.

    >>> [range_in_words(rule(SECTIONS["train"], name)) for name in ("lr", "warmup", "betas")]
    ['> 0', '>= 0', 'in [0, 1]']
    """
    one = item_rule(of)
    least, above, most = (one.get(k) for k in ("minimum", "exclusiveMinimum", "maximum"))
    if most is not None:
        return f"in {f'[{least:g}' if above is None else f'({above:g}'}, {most:g}]"
    if above is not None:
        return f"> {above:g}"
    return "" if least is None else f">= {least:g}"
