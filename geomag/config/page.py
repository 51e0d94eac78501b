"""The page of settings in Markdown.

``python -m geomag.config.page > docs/reference/settings.md`` writes it anew.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from geomag.config.rules import SECTIONS, item_rule, range_in_words, rule
from geomag.config.schema import Profile
from geomag.config.schema.base import Settings

_HEAD = """# Settings

What a profile (`geomag/profiles/*.yaml`) may say. What it leaves out has the default. A name that
is not here and a value of another type or outside the range are refused, all faults at once.
Written from `geomag/config/schema/` by `python -m geomag.config.page`.
"""
_TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "yes or no"}


def page() -> str:
    """A table of settings for the profile itself and for each of its sections."""
    own = [name for name in Profile.model_fields if name not in SECTIONS]
    parts = [_HEAD, *_table("The profile itself", Profile, own)]
    for section, kind in SECTIONS.items():
        parts += _table(f"`{section}`", kind, list(kind.model_fields))
    return "\n".join(parts) + "\n"


def _table(title: str, kind: type[Settings], names: list[str]) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"{kind.__doc__}\n"
    yield "| setting | values | default | what it is |"
    yield "|---|---|---|---|"
    for name in names:
        of = rule(kind, name)
        told = of["description"].replace("``", "`").replace("|", "\\|")
        yield f"| `{name}` | {_values(of)} | {_default(of)} | {told} |"
    yield ""


def _values(of: Mapping[str, Any]) -> str:
    if "enum" in of:
        return ", ".join(f"`{value}`" for value in of["enum"])
    said = f"{_TYPES[item_rule(of)['type']]} {range_in_words(of)}".rstrip()
    if of["type"] != "array":
        return said
    return f"{of['maxItems']} times {said}" if "maxItems" in of else f"list of {said}"


def _default(of: Mapping[str, Any]) -> str:
    if "default" not in of:
        return "(to be given)"
    shown = (
        ", ".join(map(_shown, of["default"])) if of["type"] == "array" else _shown(of["default"])
    )
    return f"`{shown}`" if shown else "empty"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.stdout.write(page())
